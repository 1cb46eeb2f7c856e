//go:build linux

// Command join measures the click table at its full size: how fast it is restored beside a raw read of the same
// topic in the same run, how fast a warm start is, how fast lookups are, and how much memory and disk it takes.
//
// The ratio of the restore to the raw read is the figure to look at: the machine's speed drops out of it. Kafka
// (kfake, its log on disk) and the registry run in a process of their own, and so does whatever is measured: a
// process's memory and processor time are then those of one table, or of one raw reader. It runs on Linux only,
// which tells a process's peak memory and forgets cached files when asked.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cjrelay/cjrelay/internal/config"
)

func main() {
	if serve() {
		return
	}
	var o options
	flag.IntVar(&o.sessions, "sessions", 10_000_000, "sessions with one click each")
	flag.IntVar(&o.partitions, "partitions", 12, "partitions of the click topic")
	flag.IntVar(&o.rounds, "rounds", 3, "raw reads and restores; the median counts")
	flag.StringVar(&o.format, "format", config.Default().Clicks.Format, "format of the clicks: avro, json or string")
	mebibytes := flag.Int64("memory", int64(config.Default().Clicks.Memory/config.MiB), "clicks.memory in MiB")
	brokers := flag.String("brokers", "", "a real Kafka, comma-separated; a topic of its own is made there and deleted")
	flag.StringVar(&o.dir, "dir", os.TempDir(), "where files are kept meanwhile: about 250 bytes a session")
	flag.StringVar(&o.profile, "cpuprofile", "", "write processor profiles of the restore and the lookups to files of this name")
	flag.Parse()
	o.memory = *mebibytes << 20
	if *brokers != "" {
		o.brokers = strings.Split(*brokers, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := measure(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "join:", err)
		os.Exit(1)
	}
}

// serve plays the role that this process was started for; it reports false when that is the benchmark itself.
func serve() bool {
	switch {
	case os.Getenv(worldVariable) != "":
		serveWorld()
	case os.Getenv(subjectVariable) != "":
		serveSubject()
	default:
		return false
	}
	return true
}

// options are the flags.
type options struct {
	sessions, partitions, rounds int
	format, dir, profile         string
	memory                       int64
	brokers                      []string
}
