package config

import (
	"math"
	"time"
)

// Delivery is how fast orders are sent, tried again and committed.
type Delivery struct {
	// Concurrency is how many requests to CJ a process may have under way. Throughput is about concurrency
	// divided by CJ's answer time: 64 at 50 ms is some 1,200 orders a second. Range 1 to 4096. Default: 64.
	Concurrency int `koanf:"concurrency"`
	// Rate is how many requests a process may start a second, for CJ's sake or a proxy's; 0 is no limit. What may
	// not start yet waits in memory, and reading waits with it. It is per process: for all of them together divide
	// it by their number. Range 0.01 to 100000. Default: none.
	Rate float64 `koanf:"rate"`
	// BackoffInitial is the upper end of the first wait after a failure. Each further wait is drawn between
	// nothing and an end that doubles each time. Range 10ms to 60s. Default: 500ms.
	BackoffInitial time.Duration `koanf:"backoff_initial"`
	// BackoffMax is where that end stops growing: the longest wait for an order whose reason to fail is
	// over. Range 10ms to 1h, not below delivery.backoff_initial. Default: 60s.
	BackoffMax time.Duration `koanf:"backoff_max"`
	// CommitInterval is how often offsets are committed. Orders acknowledged since the last commit are sent
	// again after a crash, so shorter means fewer duplicates and more load on the brokers.
	// Range 50ms to 60s. Default: 1s.
	CommitInterval time.Duration `koanf:"commit_interval"`
	// Drain is how long a process waits for requests under way before it gives partitions up. It must be
	// longer than cj.timeout, or requests are cut off and sent again elsewhere. Range 200ms to 30m.
	// Default: 20s.
	Drain time.Duration `koanf:"drain"`
	// ShutdownGrace is how long a process may take to stop after the first signal. It must be longer than
	// delivery.drain; give the process manager (terminationGracePeriodSeconds in Kubernetes) more than this,
	// or it kills the process before the last commit. Range 300ms to 1h. Default: 30s.
	ShutdownGrace time.Duration `koanf:"shutdown_grace"`
	// FutureTolerance is how far ahead of our clock an order's time may be. Such an order waits until its
	// time, since CJ refuses event times in the future; beyond the tolerance it is rejected.
	// Range 0s to 1d. Default: 15m.
	FutureTolerance time.Duration `koanf:"future_tolerance"`
	// MassSamples is over how many of the latest different orders rejections are judged, at each stage apart:
	// while half or more of them are rejected, by us or by CJ, the set-up is to blame, and none is dead-lettered.
	// More tells set-up from orders better, and lets more rejected orders go before it does. Range 2 to 1000.
	// Default: 20.
	MassSamples int `koanf:"mass_samples"`
	// MassWait is how long a rejected order waits where there are fewer samples. Longer saves orders from a
	// set-up that was wrong from the start; shorter tells sooner that an order is bad. Range 10ms to 1h.
	// Default: 20s.
	MassWait time.Duration `koanf:"mass_wait"`
	// Duplicates is how many acknowledged orders a process remembers, to send none again that comes in another
	// record. Each takes some 110 bytes. What is not remembered CJ de-duplicates. Range 1 to 100000000.
	// Default: 100000.
	Duplicates int `koanf:"duplicates"`
}

// Breaker is when CJ counts as down, and how it is tried again. While it is open nothing is attempted and
// no order is held to have failed.
type Breaker struct {
	// Window is the time over which failures are counted. Results of requests that take longer are lost to
	// it, so it must be at least four times cj.timeout. Range 400ms to 1h. Default: 60s.
	Window time.Duration `koanf:"window"`
	// FailureRate is the share of failures in the window that opens the breaker. Lower opens at a mere
	// hiccup, higher sends more orders into a failing CJ. Range 0.01 to 1. Default: 0.5.
	FailureRate float64 `koanf:"failure_rate"`
	// MinSamples is how many results a window needs before its rate counts. It must be reachable when every
	// request times out: at most delivery.concurrency x (breaker.window / cj.timeout - 1). However few are enough,
	// one order alone never opens the breaker. Range 1 to 10000. Default: 20.
	MinSamples int `koanf:"min_samples"`
	// ConsecutiveOrders opens the breaker at once when that many different orders failed with no success
	// between; 1 counts as 2. Range 1 to 10000. Default: 20.
	ConsecutiveOrders int `koanf:"consecutive_orders"`
	// Open is how long the breaker stays open before it lets probes through. Shorter notices sooner that CJ
	// is back, longer spares it. Range 10ms to 1h. Default: 10s.
	Open time.Duration `koanf:"open"`
	// Probes is how many different orders in a row must succeed to close the breaker again. Range 1 to 100. Default: 3.
	Probes int `koanf:"probes"`
}

func defaultDelivery() Delivery {
	return Delivery{
		Concurrency:     64,
		BackoffInitial:  500 * time.Millisecond,
		BackoffMax:      60 * time.Second,
		CommitInterval:  time.Second,
		Drain:           20 * time.Second,
		ShutdownGrace:   30 * time.Second,
		FutureTolerance: 15 * time.Minute,
		MassSamples:     20,
		MassWait:        20 * time.Second,
		Duplicates:      100_000,
	}
}

func defaultBreaker() Breaker {
	return Breaker{
		Window:            60 * time.Second,
		FailureRate:       0.5,
		MinSamples:        20,
		ConsecutiveOrders: 20,
		Open:              10 * time.Second,
		Probes:            3,
	}
}

func (d Delivery) check(c *checker) {
	within(c, "delivery.concurrency", d.Concurrency, 1, 4096)
	if d.Rate != 0 {
		within(c, "delivery.rate", d.Rate, 0.01, 100_000)
	}
	within(c, "delivery.backoff_initial", d.BackoffInitial, 10*time.Millisecond, time.Minute)
	within(c, "delivery.backoff_max", d.BackoffMax, 10*time.Millisecond, time.Hour)
	if d.BackoffMax < d.BackoffInitial {
		c.add("delivery.backoff_max", shown(d.BackoffMax),
			"must not be below delivery.backoff_initial ("+shown(d.BackoffInitial)+")", "raise it or lower delivery.backoff_initial")
	}
	within(c, "delivery.commit_interval", d.CommitInterval, 50*time.Millisecond, time.Minute)
	within(c, "delivery.drain", d.Drain, 200*time.Millisecond, 30*time.Minute)
	within(c, "delivery.shutdown_grace", d.ShutdownGrace, 300*time.Millisecond, time.Hour)
	within(c, "delivery.future_tolerance", d.FutureTolerance, 0, 24*time.Hour)
	within(c, "delivery.mass_samples", d.MassSamples, 2, 1000)
	within(c, "delivery.mass_wait", d.MassWait, 10*time.Millisecond, time.Hour)
	within(c, "delivery.duplicates", d.Duplicates, 1, 100_000_000)
}

func (b Breaker) check(c *checker) {
	within(c, "breaker.window", b.Window, 400*time.Millisecond, time.Hour)
	within(c, "breaker.failure_rate", b.FailureRate, 0.01, 1)
	within(c, "breaker.min_samples", b.MinSamples, 1, 10_000)
	within(c, "breaker.consecutive_orders", b.ConsecutiveOrders, 1, 10_000)
	within(c, "breaker.open", b.Open, 10*time.Millisecond, time.Hour)
	within(c, "breaker.probes", b.Probes, 1, 100)
}

// checkTimes checks the time-outs that must fit together. Each of these rules, broken, works until the day
// that CJ is slow.
func (cfg Config) checkTimes(c *checker) {
	timeout, drain := cfg.CJ.Timeout, cfg.Delivery.Drain
	if timeout >= drain {
		c.add("cj.timeout", shown(timeout), "must be below delivery.drain ("+shown(drain)+"), or a rebalance cuts off requests that CJ was about to answer",
			"lower it or raise delivery.drain")
	}
	if drain >= cfg.Delivery.ShutdownGrace {
		c.add("delivery.drain", shown(drain), "must be below delivery.shutdown_grace ("+shown(cfg.Delivery.ShutdownGrace)+"), or a stop ends before the last commit",
			"lower it or raise delivery.shutdown_grace")
	}
	if drain >= cfg.Kafka.RebalanceTimeout {
		c.add("delivery.drain", shown(drain), "must be below kafka.rebalance_timeout ("+shown(cfg.Kafka.RebalanceTimeout)+"), or the group goes on without the last commit",
			"lower it or raise kafka.rebalance_timeout")
	}
	if cfg.Breaker.Window < 4*timeout {
		c.add("breaker.window", shown(cfg.Breaker.Window), "must be at least four times cj.timeout ("+shown(timeout)+"), or time-outs are never counted",
			"raise it to "+shown(4*timeout)+" or lower cj.timeout")
	}
	if timeout <= 0 || cfg.Delivery.Concurrency < 1 {
		return // reported by their own rules
	}
	// A result counts from its request's start, so the window's last time-out holds nothing but open requests.
	reachable := float64(cfg.Delivery.Concurrency) * math.Max(0, cfg.Breaker.Window.Seconds()/timeout.Seconds()-1)
	if float64(cfg.Breaker.MinSamples) > reachable {
		c.add("breaker.min_samples", shown(cfg.Breaker.MinSamples),
			"must be at most "+shown(int(reachable))+" (delivery.concurrency x (breaker.window / cj.timeout - 1)), or it is never reached when every request times out",
			"lower it, or raise delivery.concurrency or breaker.window")
	}
}

// checkRoom refuses bounds under which the workers could never all be busy.
func (cfg Config) checkRoom(c *checker) {
	if cfg.Orders.MaxPending < cfg.Delivery.Concurrency {
		c.add("orders.max_pending", shown(cfg.Orders.MaxPending),
			"must not be below delivery.concurrency ("+shown(cfg.Delivery.Concurrency)+"), or workers stay idle", "raise it or lower delivery.concurrency")
	}
}
