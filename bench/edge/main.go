// Command edge measures what `cjrelay capture` adds to a page, beside a bare httputil.ReverseProxy in front of the same
// shop in the same run: in turns, at the same rate, over connections that stay open. Shop, proxies and Kafka (kfake) are
// processes of their own.
//
// The difference is the figure to look at: most of the machine drops out of it. Processor time is of the proxy's process
// alone, for each request.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

func main() {
	if role := os.Getenv(roleVariable); role != "" {
		serve(role)
		return
	}
	var o options
	flag.IntVar(&o.requests, "requests", 2000, "requests a turn")
	flag.IntVar(&o.rounds, "rounds", 5, "turns of each")
	flag.Float64Var(&o.rate, "rate", 500, "requests a second")
	flag.IntVar(&o.shoppers, "shoppers", 16, "connections")
	flag.Parse()
	if err := measure(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "edge:", err)
		os.Exit(1)
	}
}

type options struct {
	requests, rounds, shoppers int
	rate                       float64
}

// The contenders. Each but the first is an edge.
var contenders = []string{roleBare, roleUp, roleDown, roleDurable}

// measure prints a line for each kind of request and contender.
func measure(o options, out io.Writer) error {
	w, err := startWorld()
	if err != nil {
		return err
	}
	defer w.stop()
	times, p99s, used := byKind[[]time.Duration](), byKind[[]time.Duration](), byKind[time.Duration]()
	// The first round warms up connections, caches and the garbage collector.
	for round := range o.rounds + 1 {
		for _, k := range kinds {
			for turn := range contenders {
				// Each follows each other one as often.
				contender := contenders[(round+turn)%len(contenders)]
				before := w.processorTime(contender)
				took, err := w.load(o, k, contender)
				if err != nil {
					return fmt.Errorf("%s through %s: %w", k, contender, err)
				}
				if round == 0 {
					continue
				}
				times[k][contender] = append(times[k][contender], took...)
				p99s[k][contender] = append(p99s[k][contender], quantile(took, 0.99))
				used[k][contender] += w.processorTime(contender) - before
			}
		}
	}
	fmt.Fprintf(out, "%d rounds of %d requests each, %.0f a second over %d connections; times in microseconds\n\n", o.rounds, o.requests, o.rate, o.shoppers)
	fmt.Fprintf(out, "%-10s %-20s %8s %8s %8s %9s %10s %10s %26s\n", "request", "through", "p50", "p99", "p99.9", "processor", "added p50", "added p99", "added p99 by round")
	for _, k := range kinds {
		for _, contender := range contenders {
			all, bare := times[k][contender], times[k][roleBare]
			p50, p99 := quantile(all, 0.5), quantile(all, 0.99)
			fmt.Fprintf(out, "%-10s %-20s %8d %8d %8d %9d", k, contender, p50.Microseconds(), p99.Microseconds(), quantile(all, 0.999).Microseconds(),
				used[k][contender].Microseconds()/int64(len(all)))
			if contender != roleBare {
				low, middle, high := added(p99s[k][contender], p99s[k][roleBare])
				fmt.Fprintf(out, " %10d %10d %26s", (p50 - quantile(bare, 0.5)).Microseconds(), (p99 - quantile(bare, 0.99)).Microseconds(),
					fmt.Sprintf("%d (%d to %d)", middle.Microseconds(), low.Microseconds(), high.Microseconds()))
			}
			fmt.Fprintln(out)
		}
	}
	return w.check(out)
}

func byKind[T any]() map[kind]map[string]T {
	all := map[kind]map[string]T{}
	for _, k := range kinds {
		all[k] = map[string]T{}
	}
	return all
}

// added is what one contender's rounds have over the other's, round by round: least, median and most.
func added(these, those []time.Duration) (low, middle, high time.Duration) {
	differences := make([]time.Duration, len(these))
	for i := range these {
		differences[i] = these[i] - those[i]
	}
	slices.Sort(differences)
	return differences[0], differences[len(differences)/2], differences[len(differences)-1]
}

func quantile(times []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[min(len(sorted)-1, int(share*float64(len(sorted))))]
}
