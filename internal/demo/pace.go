package demo

import (
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
)

// pace is when what happens. Times count from the first shopper.
type pace struct {
	// shopping is how long shoppers come.
	shopping time.Duration
	// outage is when CJ goes down: first it answers 503 for as long as failing, then it hangs for as long as
	// hanging.
	outage, failing, hanging time.Duration
	// restart is when the consumer is restarted.
	restart time.Duration
	// tick is how often shoppers are let in.
	tick time.Duration
	// timeout is how long the relay waits for CJ. An answer that takes longer makes a duplicate.
	timeout time.Duration
}

// paceOf spreads the orders over some seconds, longer when there are more of them than one machine takes in
// that time.
func paceOf(orders int) pace {
	const (
		shortest = 16 * time.Second
		// perSecond is what two processor cores do with ease, everything in this process together.
		perSecond = 2000
	)
	shopping := max(shortest, time.Duration(orders)*time.Second/perSecond)
	return pace{
		shopping: shopping,
		outage:   shopping * 35 / 100,
		failing:  2 * time.Second,
		hanging:  2 * time.Second,
		restart:  shopping * 70 / 100,
		tick:     50 * time.Millisecond,
		timeout:  time.Second,
	}
}

// due is how many of the orders should have been placed by a time.
func (p pace) due(orders int, elapsed time.Duration) int {
	if elapsed >= p.shopping {
		return orders
	}
	return int(int64(orders) * int64(elapsed) / int64(p.shopping))
}

// answering is how long CJ takes to answer.
var answering = cjtest.Between(5*time.Millisecond, 25*time.Millisecond)

// ordinaryDay is CJ as it is on most days: now and then a request fails, and once it asks to be left alone for
// a moment.
func ordinaryDay() []cjtest.Rule {
	return []cjtest.Rule{
		{From: time.Second, Next: 1, Status: 429, RetryAfter: "1", Latency: answering},
		{Every: 97, Status: 500, Latency: answering},
		{Every: 131, Effect: cjtest.Reset, Latency: answering},
		{Latency: answering},
	}
}

// outageRules are the outage from now on, and good days after it.
func (p pace) outageRules() []cjtest.Rule {
	return []cjtest.Rule{
		{Until: p.failing, Status: 503, Latency: answering},
		{From: p.failing, Until: p.failing + p.hanging, Effect: cjtest.Hang},
		{Latency: answering},
	}
}
