package breaker

import (
	"cmp"
	"time"
)

// Config sets a Gate. A field that is zero or less takes its default.
type Config struct {
	// Concurrency is how many attempts may be in flight at once. More is faster and less polite: by Little's
	// law the rate is at most Concurrency divided by the remote's latency. Defaults to 64.
	Concurrency int
	// ConsecutiveOrders opens the circuit at once when that many different orders failed with no success
	// between, however long that took. It is 2 at least: one order alone never opens the circuit. Defaults to 20.
	ConsecutiveOrders int
	// FailureRate opens the circuit when at least this share of the different orders that were answered in
	// Window failed at least once, from 0 (exclusive) to 1. It counts orders and not attempts: attempts would
	// let one order that is tried again and again open the circuit. Defaults to 0.5.
	FailureRate float64
	// MinSamples is how many different orders Window needs before FailureRate counts. However few they are, two
	// of them must have failed. Defaults to 20.
	MinSamples int
	// Open is how long the circuit stays open before it lets probes through. Defaults to 10 s.
	Open time.Duration
	// Probes is how many attempts a half-open circuit lets through; to close it so many different orders must
	// succeed, and none fail that is not known to fail alone. Defaults to 3.
	Probes int
	// Rate is how many attempts may start a second, over times of a tenth of a second and more. Defaults to 0, which
	// is no limit.
	Rate float64
	// Window is the time over which FailureRate is judged. It must be at least four times the attempts'
	// time-out: an answer counts from the moment its attempt started, so in a short window no failure that
	// takes long is ever counted. Defaults to 60 s.
	Window time.Duration
}

func (c Config) withDefaults() Config {
	setDefault(&c.Concurrency, 64)
	setDefault(&c.ConsecutiveOrders, 20)
	setDefault(&c.FailureRate, 0.5)
	setDefault(&c.MinSamples, 20)
	setDefault(&c.Open, 10*time.Second)
	setDefault(&c.Probes, 3)
	setDefault(&c.Window, 60*time.Second)
	c.ConsecutiveOrders = max(c.ConsecutiveOrders, 2)
	return c
}

func setDefault[T cmp.Ordered](field *T, value T) {
	var zero T
	if *field <= zero {
		*field = value
	}
}
