package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"
)

// Config sets a Gate. The zero value of a field takes its default.
type Config struct {
	// Concurrency is how many attempts may be in flight at once. More is faster and less polite: by Little's
	// law the rate is at most Concurrency divided by the remote's latency. Defaults to 64.
	Concurrency int
	// ConsecutiveOrders opens the circuit at once when that many different orders failed with no success
	// between. Defaults to 20.
	ConsecutiveOrders int
	// FailureRate opens the circuit when at least this share of the window's answers were failures, from 0
	// (exclusive) to 1. Defaults to 0.5.
	FailureRate float64
	// MinSamples is how many answers a window needs before FailureRate counts. Defaults to 20.
	MinSamples int
	// Open is how long the circuit stays open before it lets probes through. Defaults to 10 s.
	Open time.Duration
	// Probes is how many attempts a half-open circuit lets through; all of them must succeed to close it.
	// Defaults to 3.
	Probes int
	// Window is the time over which FailureRate is judged. It must be at least four times the attempts'
	// time-out: a failure that arrives after its window has passed is not counted, so a short window never
	// opens on slow failures. Defaults to 60 s.
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
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Gate hands out permits for attempts. It is safe for concurrent use.
type Gate struct {
	config  Config
	slots   *semaphore.Weighted
	circuit *gobreaker.TwoStepCircuitBreaker[struct{}]

	mu sync.Mutex
	// changed is closed and replaced whenever an attempt that was refused might now be let through.
	changed chan struct{}
	// heldUntil is the latest Retry-After.
	heldUntil time.Time
	// attempting counts permits that are out; rampLimit bounds it after the circuit closed, so that the
	// backlog of an outage does not hit a remote side that has just recovered. Zero means no ramp.
	attempting, rampLimit int
	failures              failures
}

// New makes a Gate, closed and empty.
func New(config Config) *Gate {
	config = config.withDefaults()
	g := &Gate{
		config:   config,
		slots:    semaphore.NewWeighted(int64(config.Concurrency)),
		changed:  make(chan struct{}),
		failures: newFailures(config.Window),
	}
	g.circuit = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:   uint32(config.Probes),
		Interval:      config.Window,
		BucketPeriod:  config.Window / 12,
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

// Acquire waits until an attempt for the order may start. It returns an error only when ctx ends first.
// Waiting for a slot is first come, first served. Every permit must be returned with Done; the order's name
// tells orders apart and is never shown.
func (g *Gate) Acquire(ctx context.Context, order string) (*Permit, error) {
	if err := g.slots.Acquire(ctx, 1); err != nil {
		return nil, err
	}
	for {
		done, retry, wait := g.try()
		if done != nil {
			return &Permit{gate: g, order: order, done: done}, nil
		}
		if err := pause(ctx, wait, retry); err != nil {
			g.slots.Release(1)
			return nil, err
		}
	}
}

// try asks the circuit once. When it refuses, wait is closed as soon as asking again may help, and retry,
// when positive, is how long a Retry-After still runs.
func (g *Gate) try() (done func(error), retry time.Duration, wait <-chan struct{}) {
	g.mu.Lock()
	wait = g.changed
	retry = time.Until(g.heldUntil)
	ramping := g.rampLimit > 0 && g.attempting >= g.rampLimit
	if retry <= 0 && !ramping {
		g.attempting++
	}
	g.mu.Unlock()
	if retry > 0 || ramping {
		return nil, retry, wait
	}
	// The circuit is asked outside our lock: it calls onStateChange, which takes it.
	done, err := g.circuit.Allow()
	if err != nil {
		g.mu.Lock()
		g.attempting--
		g.mu.Unlock()
		return nil, 0, wait
	}
	return done, 0, nil
}

// pause waits for the channel, for the time when it is positive, or for ctx.
func pause(ctx context.Context, changed <-chan struct{}, d time.Duration) error {
	var due <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-changed:
	case <-due:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Hold stops all attempts for d, because the remote side asked for it with Retry-After. A shorter hold never
// ends a longer one.
func (g *Gate) Hold(d time.Duration) {
	until := time.Now().Add(d)
	g.mu.Lock()
	if until.After(g.heldUntil) {
		g.heldUntil = until
		time.AfterFunc(d, g.wake)
	}
	g.mu.Unlock()
	g.wake()
}

// wake lets everyone who waits look again.
func (g *Gate) wake() {
	g.mu.Lock()
	defer g.mu.Unlock()
	close(g.changed)
	g.changed = make(chan struct{})
}

// Changed returns a channel that is closed when State or Held may have changed after this call.
func (g *Gate) Changed() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.changed
}

// State is the circuit's state. An open circuit whose time is over shows as half-open.
func (g *Gate) State() State {
	switch g.circuit.State() {
	case gobreaker.StateClosed:
		return Closed
	case gobreaker.StateHalfOpen:
		return HalfOpen
	default:
		return Open
	}
}

// Held tells whether a Retry-After is running.
func (g *Gate) Held() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return time.Now().Before(g.heldUntil)
}

// Probes is how many attempts a half-open circuit needs.
func (g *Gate) Probes() int { return g.config.Probes }

// readyToTrip runs inside the circuit's lock after a counted failure.
func (g *Gate) readyToTrip(counts gobreaker.Counts) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failures.streak() >= g.config.ConsecutiveOrders {
		return true
	}
	answers := counts.TotalSuccesses + counts.TotalFailures
	return answers >= uint32(g.config.MinSamples) && float64(counts.TotalFailures) >= g.config.FailureRate*float64(answers)
}

// onStateChange runs inside the circuit's lock, so it must not ask the circuit anything: that deadlocks.
func (g *Gate) onStateChange(_ string, _, to gobreaker.State) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.failures.reset()
	g.rampLimit = 0
	switch to {
	case gobreaker.StateOpen:
		// The circuit turns half-open only when somebody asks after its time, and strictly after.
		time.AfterFunc(g.config.Open+time.Millisecond, g.wake)
	case gobreaker.StateClosed:
		g.rampLimit = g.config.Probes
	}
	close(g.changed)
	g.changed = make(chan struct{})
}

// State is the state of the circuit, with the value that the metric shows.
type State int

// The states of the circuit.
const (
	Closed   State = 0
	HalfOpen State = 1
	Open     State = 2
)

func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case HalfOpen:
		return "half-open"
	case Open:
		return "open"
	}
	return fmt.Sprintf("State(%d)", int(s))
}
