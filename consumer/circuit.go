package consumer

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/breaker"
)

// followBreaker keeps the pauses in step with the breaker. An open circuit, a Retry-After and an operator pause fetching;
// a half-open circuit fetches again when it has fewer orders than probes.
func (c *Consumer) followBreaker(ctx context.Context) error {
	before := breaker.Closed
	c.turns.note(before, "")
	for {
		changed := c.config.Breaker.Changed()
		state := c.config.Breaker.State()
		turned := state != before
		if turned {
			cause := c.cause(state)
			c.turns.note(state, cause)
			c.logBreaker(state, cause)
			before = state
		}
		c.pauses.all(PauseBreaker, state == breaker.Open)
		if turned {
			// A quiet topic's wait may be older than the outage, and would bring all that came in it at once.
			c.await.end()
		}
		c.pauses.all(PauseRetryAfter, c.config.Breaker.Held())
		c.pauses.all(PauseOperator, !c.config.Breaker.Suspended().IsZero())
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// cause is why the circuit is not closed: the latest attempt that failed.
func (c *Consumer) cause(state breaker.State) string {
	last := c.lastFailure.Load()
	if state == breaker.Closed || last == nil {
		return ""
	}
	return (*last).Error()
}

// logBreaker says what the circuit does and, when it opens, why.
func (c *Consumer) logBreaker(state breaker.State, cause string) {
	if state != breaker.Open {
		c.config.Log.Info("breaker", "state", state.String())
		return
	}
	c.config.Log.Warn("breaker opened: nothing is sent and fetching pauses until CJ answers again", "state", state.String(), "cause", cause)
}

// Turn is a change of the circuit's state.
type Turn struct {
	At    time.Time
	State breaker.State
	// FailedProbes is how many times an open circuit turned half-open and back: an outage is one turn, however long.
	FailedProbes int
	// Cause is why the attempt failed that opened the circuit, or opened it again; empty when it is closed.
	Cause string
}

// turnsKept is how far the circuit's history goes back.
const turnsKept = 50

// turns are the circuit's latest changes. It is safe for concurrent use.
type turns struct {
	mu     sync.Mutex
	latest []Turn
}

func (t *turns) note(state breaker.State, cause string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last := len(t.latest) - 1; state == breaker.Open && last > 0 && t.latest[last].State == breaker.HalfOpen && t.latest[last-1].State == breaker.Open {
		t.latest = t.latest[:last]
		t.latest[last-1].FailedProbes++
		t.latest[last-1].Cause = cause
		return
	}
	if len(t.latest) == turnsKept {
		t.latest = slices.Delete(t.latest, 0, 1)
	}
	t.latest = append(t.latest, Turn{At: time.Now(), State: state, Cause: cause})
}

// all ends with the state now: whoever follows the circuit may not have seen it yet.
func (t *turns) all(now breaker.State) []Turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Clone(t.latest)
	if len(all) == 0 || all[len(all)-1].State != now {
		all = append(all, Turn{At: time.Now(), State: now})
	}
	return all
}
