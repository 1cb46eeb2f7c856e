package breaker

import "time"

// failures remembers which orders failed, so that the circuit judges by different orders: one order that
// always fails says nothing about the remote side, however often it is tried. Within a window an order counts
// once: as failed if it failed at all, else as succeeded.
type failures struct {
	window time.Duration
	// counted holds the orders whose failure counts in this window, and recent the same ones, oldest first.
	counted map[string]struct{}
	recent  []failure
	// unbroken holds the different orders that failed since the last success.
	unbroken map[string]struct{}
}

type failure struct {
	order string
	at    time.Time
}

func newFailures(window time.Duration) failures {
	return failures{window: window, counted: map[string]struct{}{}, unbroken: map[string]struct{}{}}
}

// failed notes a failure and tells whether the circuit should count it. The failure that completes a streak
// of limit orders always counts, since the circuit looks at the streak only then.
func (f *failures) failed(order string, limit int) bool {
	f.forget()
	f.unbroken[order] = struct{}{}
	if _, known := f.counted[order]; known {
		return len(f.unbroken) >= limit
	}
	f.counted[order] = struct{}{}
	f.recent = append(f.recent, failure{order, time.Now()})
	return true
}

// succeeded ends the streak and tells whether the circuit should count the success. It should not where the
// order has counted as failed: orders are tried until they succeed, so half of all answers would be
// successes even where every first attempt fails, and the rate would never show it.
func (f *failures) succeeded(order string) bool {
	f.forget()
	clear(f.unbroken)
	_, failed := f.counted[order]
	return !failed
}

// streak is how many different orders failed since the last success.
func (f *failures) streak() int { return len(f.unbroken) }

// orders is how many different orders failed in the window.
func (f *failures) orders() int { return len(f.counted) }

func (f *failures) reset() {
	clear(f.counted)
	clear(f.unbroken)
	f.recent = nil
}

// forget drops what left the window.
func (f *failures) forget() {
	for len(f.recent) > 0 && time.Since(f.recent[0].at) >= f.window {
		delete(f.counted, f.recent[0].order)
		f.recent = f.recent[1:]
	}
}
