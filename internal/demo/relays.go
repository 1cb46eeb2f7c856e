package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// relays runs one relay after the other: the one of today, and the one that takes over at the restart. It is
// safe for concurrent use, but Start, Restart and Stop are for one goroutine.
type relays struct {
	world *world
	log   *slog.Logger
	// failed gets the error of a relay that ended by itself.
	failed chan error

	mu      sync.Mutex
	current *shift
	// earlier are the counters of the relays before.
	earlier counters
	// verdict is what readiness said last before a planned restart, and holds until the next relay is ready.
	verdict []console.Check
}

// shift is one relay from its start to its end.
type shift struct {
	relay   *relay.Relay
	metrics *prometheus.Registry
	stop    context.CancelFunc
	ended   chan struct{}
	// err is the error of the relay, to be read once ended is closed.
	err error
}

func newRelays(w *world, log *slog.Logger) *relays {
	return &relays{world: w, log: log, failed: make(chan error, 2)}
}

// readyWithin is how long a relay may take until it is ready.
const readyWithin = 30 * time.Second

// start runs a relay until it is stopped, and waits, as long as ctx lets it, until the relay is ready and has
// its partitions.
func (r *relays) start(ctx context.Context) error {
	one, err := relay.New(r.world.config, r.log)
	if err != nil {
		return err
	}
	s := &shift{relay: one, metrics: prometheus.NewRegistry(), ended: make(chan struct{})}
	if err := one.Register(s.metrics); err != nil {
		return err
	}
	var running context.Context
	running, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.ended)
		s.err = one.Run(running)
		if running.Err() == nil {
			r.failed <- fmt.Errorf("the relay ended by itself: %w", errors.Join(s.err, errUnasked))
		}
	}()
	if err := r.handOver(s); err != nil {
		return err
	}
	if err := r.awaitReady(ctx, s); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verdict = nil
	return nil
}

var errUnasked = errors.New("nobody had asked it to")

// handOver makes the next relay the current one. The counts of the one before are kept.
func (r *relays) handOver(next *shift) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current != nil {
		families, err := r.current.metrics.Gather()
		if err != nil {
			return err
		}
		r.earlier = r.earlier.keep(families)
	}
	r.current = next
	return nil
}

// awaitReady waits until the relay has its partitions and is ready.
func (r *relays) awaitReady(ctx context.Context, s *shift) error {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	go func() {
		select {
		case <-s.ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	if _, err := r.world.kafka.WaitGroupStable(ctx, r.world.config.Orders.Group, 1); err != nil {
		return s.notReady(err)
	}
	for {
		unready := firstFailure(s.checks())
		if unready == nil {
			return nil
		}
		select {
		case <-time.After(10 * time.Millisecond): // readiness is asked, it does not tell
		case <-ctx.Done():
			return s.notReady(unready)
		}
	}
}

// notReady explains why the relay did not get ready, best with its own error.
func (s *shift) notReady(err error) error {
	select {
	case <-s.ended:
		if s.err != nil {
			err = s.err
		}
	default:
	}
	return fmt.Errorf("the relay did not get ready: %w", err)
}

// stop ends the current relay gracefully and waits for it.
func (r *relays) stop() error {
	r.mu.Lock()
	s := r.current
	r.mu.Unlock()
	if s == nil {
		return nil
	}
	s.stop()
	<-s.ended
	if errors.Is(s.err, context.Canceled) {
		return nil
	}
	return s.err
}

// restart puts another relay in the place of the current one, as a deployment does. Readiness keeps its
// verdict meanwhile: where a process is replaced on purpose, its port does not answer for the gap.
func (r *relays) restart(ctx context.Context) error {
	r.mu.Lock()
	r.verdict = r.current.checks()
	r.mu.Unlock()
	if err := r.stop(); err != nil {
		return fmt.Errorf("stopping the relay: %w", err)
	}
	return r.start(ctx)
}

// ready is the verdict on the relay of the moment.
func (r *relays) ready() []console.Check {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.verdict != nil:
		return r.verdict
	case r.current == nil:
		return []console.Check{{Name: "relay", Err: errors.New("has not started")}}
	}
	return r.current.checks()
}

// breaker is the state of the current relay's circuit.
func (r *relays) breaker() breaker.State {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return breaker.Closed
	}
	return r.current.relay.Breaker()
}

// State implements console.Relay for the relay of the moment.
func (r *relays) State() console.State {
	if current := r.now(); current != nil {
		return current.State()
	}
	return console.State{
		Paused: []string{}, Breaker: []console.Turn{{At: time.Now(), State: breaker.Closed.String()}}, Rules: []console.Rule{}, Partitions: []console.Partition{},
	}
}

// Orders implements console.Relay for the relay of the moment: what the one before knew went with it.
func (r *relays) Orders(asked console.Asked, limit int) []console.Order {
	if current := r.now(); current != nil {
		return current.Orders(asked, limit)
	}
	return nil
}

// now is the relay of the moment, nil before the first.
func (r *relays) now() *relay.Relay {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return nil
	}
	return r.current.relay
}

// oldest is when the oldest order in the current relay's hands came, zero when it has none.
func (r *relays) oldest() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current.relay.Lag().Oldest
}

// Gather implements prometheus.Gatherer for all relays together.
func (r *relays) Gather() ([]*dto.MetricFamily, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.current == nil {
		return nil, nil
	}
	families, err := r.current.metrics.Gather()
	r.earlier.addTo(families)
	return families, err
}

func (s *shift) checks() []console.Check {
	ready := s.relay.Ready()
	checks := make([]console.Check, len(ready))
	for i, check := range ready {
		checks[i] = console.Check(check)
	}
	return checks
}

func firstFailure(checks []console.Check) error {
	for _, check := range checks {
		if check.Err != nil {
			return fmt.Errorf("%s: %w", check.Name, check.Err)
		}
	}
	return nil
}
