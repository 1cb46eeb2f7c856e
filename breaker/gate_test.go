package breaker_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// bubble runs a test in virtual time, which stands still while the test does not sleep.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// request is one Acquire in a goroutine of its own.
type request struct {
	order  string
	cancel context.CancelFunc
	// answered is closed when Acquire has returned; what follows may be read then.
	answered chan struct{}
	permit   *breaker.Permit
	err      error
	at       time.Time
}

// ask starts an Acquire and returns when it has returned or waits.
func ask(ctx context.Context, gate *breaker.Gate, order string) *request {
	ctx, cancel := context.WithCancel(ctx)
	r := &request{order: order, cancel: cancel, answered: make(chan struct{})}
	go func() {
		defer close(r.answered)
		r.permit, r.err = gate.Acquire(ctx, order)
		r.at = time.Now()
	}()
	synctest.Wait()
	return r
}

func (r *request) admitted() bool {
	select {
	case <-r.answered:
		return r.err == nil
	default:
		return false
	}
}

// take acquires a permit that must be there at once.
func take(t *testing.T, gate *breaker.Gate, order string) *breaker.Permit {
	t.Helper()
	r := ask(t.Context(), gate, order)
	defer r.cancel()
	if !r.admitted() {
		r.cancel()
		<-r.answered
		require.Fail(t, "no permit", "order %s in state %v", order, gate.State())
	}
	return r.permit
}

// refuse makes sure that no permit is to be had now.
func refuse(t *testing.T, gate *breaker.Gate, order string) {
	t.Helper()
	r := ask(t.Context(), gate, order)
	r.cancel()
	<-r.answered
	require.ErrorIs(t, r.err, context.Canceled, "got a permit in state %v", gate.State())
	require.Nil(t, r.permit)
}

// answer makes one attempt for each order, one after the other, with the same result.
func answer(t *testing.T, gate *breaker.Gate, result breaker.Result, orders ...string) {
	t.Helper()
	for _, order := range orders {
		take(t, gate, order).Done(result)
	}
}

// orders names n different orders.
func orders(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprintf("%s-%d", prefix, i)
	}
	return names
}

// opened is a gate whose circuit opened just now, with nothing in flight.
func opened(t *testing.T, config breaker.Config) *breaker.Gate {
	t.Helper()
	gate := breaker.New(config)
	for i := 0; gate.State() == breaker.Closed; i++ {
		answer(t, gate, breaker.Failed, fmt.Sprintf("outage-%d", i))
	}
	require.Equal(t, breaker.Open, gate.State())
	return gate
}

// halfOpened is a gate whose circuit turned half-open just now. Open is at its default.
func halfOpened(t *testing.T, config breaker.Config) *breaker.Gate {
	t.Helper()
	gate := opened(t, config)
	time.Sleep(10*time.Second + time.Nanosecond)
	require.Equal(t, breaker.HalfOpen, gate.State())
	return gate
}

// closed reports whether a channel of Changed is closed.
func closed(changed <-chan struct{}) bool {
	synctest.Wait()
	select {
	case <-changed:
		return true
	default:
		return false
	}
}

func TestWhatIsLessThanZeroIsTheDefault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := breaker.New(breaker.Config{Concurrency: -1, ConsecutiveOrders: -1, FailureRate: -1, MinSamples: -1, Open: -1, Probes: -1, Window: -1})
		require.Equal(t, 3, gate.Probes())
		requireCapacity(t, gate, 64)
		answer(t, gate, breaker.Failed, orders("bad", 19)...)
		require.Equal(t, breaker.Closed, gate.State())
		answer(t, gate, breaker.Failed, "last")
		require.Equal(t, breaker.Open, gate.State())
		require.Equal(t, time.Now().Add(10*time.Second+time.Nanosecond), gate.OpenUntil())
	})
}
