//go:build synctests

package sim

import (
	"bytes"
	"context"
	"fmt"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// probeEvery is how often a run is looked at while it goes on.
const probeEvery = 2 * time.Second

// probe looks at the relays until ctx ends: for what must hold at every moment, and cannot be told afterwards.
func (w *world) probe(ctx context.Context) {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for n := 0; ; n++ {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		w.watch.look()
		w.ghosts.evict()
		var counted map[string]int
		if n%5 == 0 {
			counted = goroutines()
		}
		for _, u := range w.running() {
			// No fault lasts as long as the relay's own patience with a partition that stands still.
			if stalled := u.gauge("cjrelay_stalled_partitions"); stalled > 0 {
				w.found(liveness, "%s calls %v partitions stalled at %v", u.name, stalled, w.since(time.Now()))
			}
			if most := w.options.goroutines(); counted[u.label()] > most {
				w.found(boundedResources, "%s has %d goroutines at %v, more than %d", u.name, counted[u.label()], w.since(time.Now()), most)
			}
		}
	}
}

// goroutines is how many goroutines a relay may have, however many orders wait: a sender and a connection's two for
// each order under way, those of Kafka's three clients for each broker, and the click table's.
func (o Options) goroutines() int { return 150 + 4*o.Concurrency + 40*o.Brokers }

// goroutines counts those of every relay in this process by its label.
func goroutines() map[string]int {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
		panic(fmt.Sprintf("counting goroutines: %v", err))
	}
	counts := map[string]int{}
	alike := 0
	for line := range strings.Lines(text.String()) {
		if number, _, ok := strings.Cut(line, " @ "); ok {
			alike, _ = strconv.Atoi(number)
		}
		if _, labels, ok := strings.Cut(line, strconv.Quote(goroutineLabel)+":\""); ok {
			label, _, _ := strings.Cut(labels, "\"")
			counts[label] += alike
		}
	}
	return counts
}
