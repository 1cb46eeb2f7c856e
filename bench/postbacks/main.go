// Command postbacks measures how many orders a second cjrelay gets acknowledged, beside the same HTTP client
// in a bare loop against the same fake CJ in the same run, and the processor time that an order takes.
//
// The ratio of the two is the figure to look at: the machine's speed drops out of it. Kafka (kfake), the
// registry and the fake CJ run in a process of their own, so that the processor time is the relay's alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/postback"
)

func main() {
	if os.Getenv(worldVariable) != "" {
		serveWorld()
		return
	}
	orders := flag.Int("orders", 30_000, "orders a round")
	rounds := flag.Int("rounds", 5, "rounds of each; the median counts")
	concurrency := flag.Int("concurrency", 64, "requests in flight")
	latency := flag.Duration("latency", 0, "answer time of the fake CJ")
	profile := flag.String("cpuprofile", "", "write a processor profile of the relay's rounds to this file")
	flag.Parse()
	if err := measure(*orders, *rounds, *concurrency, *latency, *profile); err != nil {
		fmt.Fprintln(os.Stderr, "postbacks:", err)
		os.Exit(1)
	}
}

// figures is one round of one contender.
type figures struct{ rate, cpu float64 }

func measure(orders, rounds, concurrency int, latency time.Duration, profile string) error {
	w, err := startWorld(latency)
	if err != nil {
		return err
	}
	defer w.stop()
	cfg := w.configuration(concurrency)
	if cfg.Clicks.Dir, err = os.MkdirTemp("", "cjrelay-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(cfg.Clicks.Dir)
	queries, err := w.fill(cfg, orders)
	if err != nil {
		return err
	}
	var bare, whole []figures
	for round := range rounds {
		b, err := clocked(orders, func(func(int)) error { return w.sendBare(cfg, queries, concurrency) })
		if err != nil {
			return err
		}
		cfg.Orders.Group = fmt.Sprintf("bench-%d", round)
		stopProfile, err := startProfile(profile, round)
		if err != nil {
			return err
		}
		r, err := clocked(orders, func(begun func(int)) error { return w.runRelay(cfg, orders, begun) })
		stopProfile()
		if err != nil {
			return err
		}
		bare, whole = append(bare, b), append(whole, r)
		fmt.Printf("round %d   bare %7.0f/s %5.1f us   cjrelay %7.0f/s %5.1f us   ratio %.2f\n",
			round+1, b.rate, b.cpu, r.rate, r.cpu, r.rate/b.rate)
	}
	ratios := make([]float64, rounds)
	for i := range ratios {
		ratios[i] = whole[i].rate / bare[i].rate
	}
	fmt.Printf("\nmedian of %d rounds, %d orders each, %d in flight, CJ answers in %s\n", rounds, orders, concurrency, latency)
	fmt.Printf("  bare loop  %7.0f acknowledged/s  %5.1f us processor time each\n", median(bare, rateOf), median(bare, cpuOf))
	fmt.Printf("  cjrelay    %7.0f acknowledged/s  %5.1f us processor time each\n", median(whole, rateOf), median(whole, cpuOf))
	slices.Sort(ratios)
	fmt.Printf("  ratio      %.2f (%.2f to %.2f)\n", ratios[rounds/2], ratios[0], ratios[rounds-1])
	return nil
}

func rateOf(f figures) float64 { return f.rate }
func cpuOf(f figures) float64  { return f.cpu }

func median(rounds []figures, of func(figures) float64) float64 {
	values := make([]float64, len(rounds))
	for i, f := range rounds {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// clocked measures work on that many orders: acknowledged per second of the clock, and in processor time of
// this process each. The clock starts when begun is called, with how many were acknowledged by then: restoring
// the click table and joining the group are not sending. Processor time counts from the start.
func clocked(orders int, work func(begun func(acknowledged int)) error) (figures, error) {
	used, start, before := processorTime(), time.Now(), 0
	err := work(func(acknowledged int) { start, before = time.Now(), acknowledged })
	elapsed := time.Since(start)
	used = processorTime() - used
	return figures{rate: float64(orders-before) / elapsed.Seconds(), cpu: float64(used.Microseconds()) / float64(orders)}, err
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// sendBare sends ready queries with the client that the relay uses, and nothing around it.
func (w *world) sendBare(cfg config.Config, queries []postback.Query, concurrency int) error {
	client, err := postback.NewClient(postback.ClientConfig{Endpoint: cfg.CJ.Endpoint, Concurrency: concurrency})
	if err != nil {
		return err
	}
	defer client.Close()
	var next, failed atomic.Int64
	var senders sync.WaitGroup
	for range concurrency {
		senders.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(queries)); i = next.Add(1) - 1 {
				if client.Send(context.Background(), queries[i]).Class != postback.Acknowledged {
					failed.Add(1)
				}
			}
		})
	}
	senders.Wait()
	if n := failed.Load(); n > 0 {
		return fmt.Errorf("%d requests of the bare loop were not acknowledged", n)
	}
	return w.expect(len(queries))
}

// runRelay runs a whole relay, in a group of its own, until every order has its outcome and is committed.
func (w *world) runRelay(cfg config.Config, orders int, begun func(acknowledged int)) error {
	processor, err := relay.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	done := make(chan error, 1)
	go func() { done <- processor.Run(ctx) }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for seen := 0; ; {
		select {
		case err := <-done:
			return errors.Join(errors.New("the relay stopped early"), err)
		case <-tick.C:
		}
		received, err := w.acknowledged()
		if err != nil {
			return err
		}
		if seen == 0 && received > 0 {
			begun(received)
		}
		if seen = received; seen == orders && processor.Lag().Work == 0 {
			break
		}
	}
	stop()
	if err := <-done; err != nil {
		return err
	}
	return w.expect(orders)
}
