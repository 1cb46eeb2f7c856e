//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/cjrelay/cjrelay/schema"
)

// worldVariable makes this program serve the world instead of measuring. Its value is where Kafka's log is kept,
// or noKafka when a real one is used.
const (
	worldVariable = "JOIN_WORLD"
	noKafka       = "-"
)

const clickSchemaID = 1

// world is everything that the click table talks to.
type world struct {
	Brokers  []string
	Registry string

	process *exec.Cmd
	stdin   io.Closer
}

// serveWorld serves until its standard input ends, which it does when the measuring process is gone.
func serveWorld() {
	var w world
	if dir := os.Getenv(worldVariable); dir != noKafka {
		// As many brokers as most clusters have: a client reads them side by side.
		kafka, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.DataDir(dir))
		exitOn(err)
		defer kafka.Close()
		w.Brokers = kafka.ListenAddrs()
	}
	registry := srfake.New()
	registry.SeedSchema("cjevent-value", 1, clickSchemaID, sr.Schema{Schema: schema.CJEventSchema})
	w.Registry = registry.URL()
	exitOn(json.NewEncoder(os.Stdout).Encode(w))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "join:", err)
		os.Exit(1)
	}
}

// startWorld starts this program again to serve the world.
func startWorld(ctx context.Context, dir string, brokers []string) (*world, error) {
	if len(brokers) > 0 {
		dir = noKafka
	}
	w := &world{}
	stdout, err := w.start(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := json.NewDecoder(stdout).Decode(w); err != nil {
		return nil, errors.Join(fmt.Errorf("the world does not start: %w", err), w.stop())
	}
	if len(brokers) > 0 {
		w.Brokers = brokers
	}
	return w, nil
}

func (w *world) start(ctx context.Context, dir string) (stdout io.Reader, err error) {
	if w.process, err = again(ctx, worldVariable, dir); err != nil {
		return nil, err
	}
	if w.stdin, err = w.process.StdinPipe(); err != nil {
		return nil, err
	}
	if stdout, err = w.process.StdoutPipe(); err != nil {
		return nil, err
	}
	return stdout, w.process.Start()
}

func (w *world) stop() error {
	return errors.Join(w.stdin.Close(), w.process.Wait())
}

// again is this program with another role.
func again(ctx context.Context, variable, value string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	process := exec.CommandContext(ctx, self)
	process.Env = append(os.Environ(), variable+"="+value)
	process.Stderr = os.Stderr
	return process, nil
}
