package breaker

import "time"

// failures remembers which orders failed, so that the circuit judges by different orders: one order that
// always fails says nothing about the remote side, however often it is tried.
type failures struct {
	window time.Duration
	// counted holds when an order's failure was last counted; it is counted once a window.
	counted map[string]time.Time
	// unbroken holds the different orders that failed since the last success.
	unbroken map[string]struct{}
}

func newFailures(window time.Duration) failures {
	return failures{window: window, counted: map[string]time.Time{}, unbroken: map[string]struct{}{}}
}

// failed notes a failure and tells whether the circuit should count it. The failure that completes a streak
// of limit orders always counts, since the circuit looks at the streak only then.
func (f *failures) failed(order string, limit int) bool {
	now := time.Now()
	f.forget(now)
	_, again := f.unbroken[order]
	f.unbroken[order] = struct{}{}
	if _, known := f.counted[order]; known {
		return !again && len(f.unbroken) >= limit
	}
	f.counted[order] = now
	return true
}

// succeeded ends the streak.
func (f *failures) succeeded() {
	if len(f.unbroken) > 0 {
		clear(f.unbroken)
	}
}

func (f *failures) streak() int { return len(f.unbroken) }

func (f *failures) reset() {
	clear(f.counted)
	clear(f.unbroken)
}

// forget drops what left the window. It runs on failures only and over no more than the orders in flight or
// in backoff, so it needs no index by time.
func (f *failures) forget(now time.Time) {
	for order, at := range f.counted {
		if now.Sub(at) > f.window {
			delete(f.counted, order)
		}
	}
}
