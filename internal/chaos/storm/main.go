// Command storm confirms orders on a real Kafka of three brokers while brokers are killed, leaders moved, and relay
// processes join, leave and die; then it audits what came of every order. `make chaos` starts the brokers and runs it.
// It exits with 1 when an order is lost or wrong, or was sent again more often than the contract allows.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cjrelay/cjrelay/internal/chaos"
)

func main() {
	o := chaos.StormOptions{Out: os.Stdout}
	flag.IntVar(&o.Orders, "orders", 100_000, "orders to confirm")
	minutes := flag.Float64("minutes", 8, "over how many minutes; the rest takes as long as it needs")
	flag.Uint64Var(&o.Seed, "seed", 0, "decides what goes wrong in which order; 0 draws one")
	flag.StringVar(&o.Cluster, "cluster", "deploy/kafka/cluster.sh", "the script whose three nodes are up")
	keep := flag.String("dir", "", "keep the processes' files in this directory; without it they go when all is well")
	flag.Parse()
	o.For = time.Duration(*minutes * float64(time.Minute))
	if o.Seed == 0 {
		o.Seed = uint64(time.Now().UnixNano())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "storm:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o chaos.StormOptions, keep string) (err error) {
	o.Dir = keep
	if keep != "" {
		if err := os.MkdirAll(keep, 0o700); err != nil {
			return err
		}
	} else {
		if o.Dir, err = os.MkdirTemp("", "cjrelay-storm"); err != nil {
			return err
		}
		defer func() {
			if err == nil {
				_ = os.RemoveAll(o.Dir)
			} else {
				fmt.Fprintln(os.Stderr, "storm: the processes' logs are in", o.Dir)
			}
		}()
	}
	fmt.Fprintf(o.Out, "%d orders in %s, seed %d\n", o.Orders, o.For, o.Seed)
	report, err := chaos.Storm(ctx, o)
	if err != nil {
		return err
	}
	if err := report.Print(o.Out); err != nil {
		return err
	}
	if !report.Clean() {
		return fmt.Errorf("the contract does not hold: %d lost, %d wrong, %d duplicates of %d, %d of them unexplained",
			report.Lost, report.Wrong, report.Duplicates, report.Bound, report.DuplicatesBy[chaos.Unexplained])
	}
	return nil
}
