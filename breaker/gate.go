package breaker

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Gate hands out permits for attempts, first come, first served. It is safe for concurrent use.
type Gate struct {
	config Config

	// mu guards what follows and every call to the circuit. The circuit's callbacks run inside such a call,
	// so they run under mu and must not ask the circuit anything: it would wait for itself.
	mu      sync.Mutex
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]
	// generation counts the circuit's changes of state. The answer to an attempt of an earlier generation is
	// stale: it tells of the remote side as it was before the change.
	generation uint64
	failures   failures
	// halfOpen is set while the circuit is, and probed holds the orders that have succeeded since.
	halfOpen bool
	probed   map[string]struct{}
	// openUntil is when the circuit that opened last turns half-open.
	openUntil time.Time
	// waiting holds a *waiter for each Acquire that waits. Whatever may let its front start must call admit.
	waiting list.List
	// inFlight counts the permits that are out; limit bounds it.
	inFlight, limit int
	// heldUntil is when the longest Retry-After ends.
	heldUntil time.Time
	pace      pace
	// suspended is when somebody stopped all attempts until Resume, the zero time when nobody did.
	suspended time.Time
	// changed is closed and replaced whenever State, Held or Suspended may have changed.
	changed chan struct{}
}

// waiter is one Acquire that waits.
type waiter struct {
	order string
	// admitted takes the permit; it has room for it, so that nobody waits for a waiter that has given up.
	admitted chan *Permit
}

// buckets is in how many steps the circuit forgets what left the window.
const buckets = 12

// New makes a Gate, closed and with nothing in flight.
func New(config Config) *Gate {
	config = config.withDefaults()
	// The circuit rounds its window up to whole buckets. The failures must be remembered just as long, or one
	// order would count twice in one window.
	bucket := (config.Window + buckets - 1) / buckets
	g := &Gate{
		config:   config,
		failures: newFailures(bucket * buckets),
		probed:   map[string]struct{}{},
		limit:    config.Concurrency,
		pace:     newPace(config.Rate),
		changed:  make(chan struct{}),
	}
	g.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   uint32(config.Probes),
		Interval:      bucket * buckets,
		BucketPeriod:  bucket,
		Timeout:       config.Open,
		ReadyToTrip:   g.readyToTrip,
		OnStateChange: g.onStateChange,
		IsExcluded:    func(err error) bool { return errors.Is(err, errNotCounted) },
	})
	return g
}

// errNotCounted tells the circuit that an attempt says nothing new about the remote side.
var errNotCounted = errors.New("not counted")

// errFailed tells the circuit that the remote side failed an attempt.
var errFailed = errors.New("failed")

// Acquire waits until an attempt for the order may start: until there is room below Concurrency, or below
// the ramp after an outage, no Retry-After runs, nothing is suspended, Rate allows it, and the circuit is closed
// or wants a probe. Whoever asked first starts first. The only errors are those of ctx, and then there is no permit. Every
// permit must be returned with Done; order tells orders apart and is never shown.
func (g *Gate) Acquire(ctx context.Context, order string) (*Permit, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g.mu.Lock()
	if g.waiting.Len() == 0 {
		if permit := g.start(order); permit != nil {
			g.mu.Unlock()
			return permit, nil
		}
	}
	w := &waiter{order: order, admitted: make(chan *Permit, 1)}
	place := g.waiting.PushBack(w)
	g.mu.Unlock()

	select {
	case permit := <-w.admitted:
		return permit, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	g.waiting.Remove(place)
	g.mu.Unlock()
	// From here on nobody admits us. Who did so before we left gave a permit that others wait for.
	select {
	case permit := <-w.admitted:
		permit.Done(Cancelled)
	default:
	}
	return nil, ctx.Err()
}

// start gives a permit, or nil when no attempt may start now. The caller holds mu.
func (g *Gate) start(order string) *Permit {
	if g.inFlight >= g.limit || g.held() || !g.suspended.IsZero() {
		return nil
	}
	if wait := g.pace.wait(); wait > 0 {
		g.pace.wake(wait, g.paced)
		return nil
	}
	report, err := g.circuit.Allow()
	if err != nil {
		return nil
	}
	g.pace.take()
	g.inFlight++
	return &Permit{gate: g, order: order, generation: g.generation, report: report}
}

// admit starts those who wait, in their order, for as long as they may. The caller holds mu.
func (g *Gate) admit() {
	for place := g.waiting.Front(); place != nil; place = g.waiting.Front() {
		w := place.Value.(*waiter)
		permit := g.start(w.order)
		if permit == nil {
			return
		}
		g.waiting.Remove(place)
		w.admitted <- permit
	}
}

// Hold stops all attempts for d, because the remote side asked for it with Retry-After. A shorter hold never
// ends a longer one; attempts in flight go on.
func (g *Gate) Hold(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	until := time.Now().Add(d)
	if d <= 0 || !until.After(g.heldUntil) {
		return
	}
	g.heldUntil = until
	time.AfterFunc(d, g.look)
	g.announce()
}

// Held tells whether a Retry-After is running.
func (g *Gate) Held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held()
}

// held is Held. The caller holds mu.
func (g *Gate) held() bool { return time.Now().Before(g.heldUntil) }

// Suspend stops all attempts until Resume; attempts in flight go on. It reports whether that changed anything.
func (g *Gate) Suspend() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.suspended.IsZero() {
		return false
	}
	g.suspended = time.Now()
	g.announce()
	return true
}

// Resume ends a Suspend, and reports whether there was one.
func (g *Gate) Resume() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.suspended.IsZero() {
		return false
	}
	g.suspended = time.Time{}
	g.announce()
	g.admit()
	return true
}

// Suspended is since when all attempts are suspended, the zero time when they are not.
func (g *Gate) Suspended() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.suspended
}

// State is the circuit's state. An open circuit whose time is over shows as half-open.
func (g *Gate) State() State {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.circuit.State() {
	case gobreaker.StateClosed:
		return Closed
	case gobreaker.StateHalfOpen:
		return HalfOpen
	default:
		return Open
	}
}

// Changed returns a channel that is closed when State, Held or Suspended may have changed after this call.
func (g *Gate) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// Probes is how many different orders must succeed to close a half-open circuit.
func (g *Gate) Probes() int { return g.config.Probes }

// Rate is how many attempts may start a second, 0 where that is not limited.
func (g *Gate) Rate() float64 { return max(g.config.Rate, 0) }

// OpenUntil is when an open circuit lets probes through. It means nothing for another one.
func (g *Gate) OpenUntil() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.openUntil
}

// look runs when time alone may have changed something: a hold is over, or the circuit was open long enough.
func (g *Gate) look() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.announce()
	g.admit()
}

// paced runs when the pace allows another attempt.
func (g *Gate) paced() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pace.waking = false
	g.admit()
}

// announce closes changed. The caller holds mu.
func (g *Gate) announce() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// readyToTrip is asked by a closed circuit after a failure that counted. It runs under mu.
func (g *Gate) readyToTrip(counts gobreaker.Counts) bool {
	if g.failures.streak() >= g.config.ConsecutiveOrders {
		return true
	}
	if g.failures.orders() < 2 {
		return false // the order may be to blame
	}
	// Not counts.Requests: that counts what is in flight, too, and dilutes the rate.
	answered := counts.TotalSuccesses + counts.TotalFailures
	return answered >= uint32(g.config.MinSamples) && float64(counts.TotalFailures) >= g.config.FailureRate*float64(answered)
}

// onStateChange is told by the circuit. It runs under mu.
func (g *Gate) onStateChange(_ string, _, to gobreaker.State) {
	g.generation++
	g.failures.reset()
	g.limit = g.config.Concurrency
	g.halfOpen = to == gobreaker.StateHalfOpen
	clear(g.probed)
	switch to {
	case gobreaker.StateOpen:
		// The circuit has no timer: it turns half-open when it is asked strictly after its time.
		wait := g.config.Open + time.Nanosecond
		g.openUntil = time.Now().Add(wait)
		time.AfterFunc(wait, g.look)
	case gobreaker.StateClosed:
		// The ramp: the backlog of an outage must not hit a remote side that has just recovered.
		g.limit = min(g.config.Probes, g.config.Concurrency)
	}
	g.announce()
}
