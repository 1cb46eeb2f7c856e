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
	// FailedAlone is Failed of an order that is known to fail while others succeed. A half-open circuit does not
	// count it: such an order would keep it from closing for ever, and everybody else with it.
	FailedAlone
)

// Permit allows one attempt.
type Permit struct {
	gate       *Gate
	order      string
	generation uint64
	report     func(error)
	returned   atomic.Bool
}

// Done returns the permit. Only the first call counts, so that a deferred Done(Cancelled) covers every way
// out: a permit that is never returned would keep a half-open circuit half-open for ever. It is safe for
// concurrent use.
func (p *Permit) Done(result Result) {
	if p.returned.Swap(true) {
		return
	}
	g := p.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inFlight--
	p.report(g.verdict(p, result))
	g.admit()
}

// Repeated notes that the attempt made so many requests more than one, so that Rate holds for what the remote side
// receives: later attempts wait the longer. It is safe for concurrent use.
func (p *Permit) Repeated(times int) {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	for range times {
		p.gate.pace.owe()
	}
}

// verdict notes a result and puts it into the circuit's words. The caller holds mu.
func (g *Gate) verdict(p *Permit, result Result) error {
	if p.generation != g.generation {
		return errNotCounted
	}
	if g.halfOpen {
		return g.probe(p.order, result)
	}
	switch result {
	case Succeeded:
		g.limit = min(g.limit+1, g.config.Concurrency)
		if g.failures.succeeded(p.order) {
			return nil
		}
	case Failed, FailedAlone:
		if g.failures.failed(p.order, g.config.ConsecutiveOrders) {
			return errFailed
		}
	}
	return errNotCounted
}

// probe judges a result of a half-open circuit. One that it does not count frees its place for another probe. The
// caller holds mu.
func (g *Gate) probe(order string, result Result) error {
	switch result {
	case Succeeded:
		// An order that the remote side rejects shows that it is alive each time that it is tried again, and would
		// close the circuit by itself.
		if _, known := g.probed[order]; !known {
			g.probed[order] = struct{}{}
			return nil
		}
	case Failed:
		return errFailed
	}
	return errNotCounted
}
