package breaker

import "sync/atomic"

// Result is what an attempt says about the remote side.
type Result int

// The results of an attempt.
const (
	// Cancelled says nothing: a revoke or a shutdown ended the attempt. It counts for nothing.
	Cancelled Result = iota
	// Succeeded means that the remote side is alive, also where it rejected this one order.
	Succeeded
	// Failed means that the remote side did not answer, or not as one that is alive and set up.
	Failed
)

// Permit allows one attempt.
type Permit struct {
	gate     *Gate
	order    string
	done     func(error)
	returned atomic.Bool
}

// Done returns the permit. Only the first call counts, so that a deferred Done(Cancelled) covers every way
// out: a permit that is never returned would keep a half-open circuit half-open for ever.
func (p *Permit) Done(result Result) {
	if p.returned.Swap(true) {
		return
	}
	g := p.gate
	verdict := errNotCounted
	g.mu.Lock()
	g.attempting--
	waiting := g.rampLimit > 0
	switch result {
	case Succeeded:
		verdict = nil
		g.failures.succeeded()
		if g.rampLimit > 0 {
			g.rampLimit++
			if g.rampLimit >= g.config.Concurrency {
				g.rampLimit = 0
			}
		}
	case Failed:
		if g.failures.failed(p.order, g.config.ConsecutiveOrders) {
			verdict = errFailed
		}
	}
	g.mu.Unlock()

	p.done(verdict)
	g.slots.Release(1)
	// In the closed state nobody waits but for a slot; a half-open circuit or a ramp may let the next one in.
	if waiting || g.State() != Closed {
		g.wake()
	}
}
