package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/schema"
)

// many are n orders that carry their own clicks.
func (s *shop) many(n int, name string) []*schema.Order {
	orders := make([]*schema.Order, n)
	for i := range orders {
		id := fmt.Sprintf("%s-%d", name, i)
		orders[i] = s.order(id, "", carrying(clickOf(id)))
	}
	return orders
}

// While CJ is down only the breaker's probes are attempted; afterwards every order arrives, once.
func TestOutageOpensTheBreakerAndLosesNothing(t *testing.T) {
	t.Parallel()
	causes := map[string]string{"Errors": "CJ answered 503 Service Unavailable", "Timeouts": "timed out after 1s", "WrongSetUp": "CJ answered 403 Forbidden"}
	for name, trouble := range map[string]string{"Errors": "status=503", "Timeouts": "hang", "WrongSetUp": "status=403"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, 4)
			if name == "Timeouts" {
				// So short that a busy machine can miss it once CJ answers again.
				s.config.CJ.Timeout, s.late = time.Second, true
			}
			s.config.Delivery.Concurrency = 8
			s.cj.Script(script(t, trouble)...)
			const orders = 300
			s.confirm(t, s.many(orders, "ORD")...)
			r := s.start(t)
			s.await(t, "the breaker opens", func() bool { return r.Breaker() == breaker.Open })
			s.await(t, "people are told why", func() bool { turns := r.State().Breaker; return turns[len(turns)-1].Cause == causes[name] })
			seen, since := s.cj.Count(), time.Now()
			s.awaitRequests(t, seen+5*s.config.Breaker.Probes)
			attempts := s.cj.Count() - seen
			// Those in flight when it opened, and one round of probes each time that it was open long enough.
			rounds := int(time.Since(since)/s.config.Breaker.Open) + 2
			require.LessOrEqual(t, attempts, s.config.Delivery.Concurrency+rounds*s.config.Breaker.Probes)
			require.Empty(t, s.kafka.Read(t, s.config.Outcomes.Topic))

			s.cj.Script()
			s.awaitOutcomes(t, orders)
			require.Equal(t, breaker.Closed, r.Breaker())
			turns := r.State().Breaker
			require.Empty(t, turns[len(turns)-1].Cause)
			b := s.audit(t)
			require.Empty(t, b.letters)
			require.Equal(t, orders, s.cj.Summary().Acknowledged)
		})
	}
}

// An open breaker means no attempt at all, fetching pauses, nothing is counted against an order, and stopping
// does not wait for it.
func TestOpenBreakerAttemptsNothing(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.config.Breaker.Open = time.Hour
	s.config.Delivery.Drain = time.Hour
	// One at a time, so that none is under way when it opens.
	s.config.Delivery.Concurrency = 1
	s.cj.Script(script(t, "status=503")...)
	s.confirm(t, s.many(100, "ORD")...)
	r := s.start(t)
	s.await(t, "fetching pauses for the breaker", func() bool { return r.metric(t, "cjrelay_paused", "reason", "breaker") == 1 })
	attempts := s.cj.Count()
	require.GreaterOrEqual(t, attempts, s.config.Breaker.ConsecutiveOrders)

	// The new orders show in the lag a while later: long enough for many backoffs to pass.
	s.confirm(t, s.many(50, "LATER")...)
	s.await(t, "the new orders are seen", func() bool { return r.Lag().Work == 150 })
	require.EqualValues(t, 150, r.Lag().Commit)
	require.Equal(t, breaker.Open, r.Breaker())
	require.EqualValues(t, breaker.Open, r.metric(t, "cjrelay_breaker_state"))
	for _, check := range r.Ready() {
		require.NoError(t, check.Err, "to wait for CJ is the right work: %s", check.Name)
	}
	r.halt(t)
	require.Equal(t, attempts, s.cj.Count())
	require.Empty(t, s.kafka.Read(t, s.config.Outcomes.Topic))
	require.Empty(t, s.kafka.Read(t, s.config.DeadLetter.Topic))
	for _, offset := range s.committed(t) {
		require.Zero(t, offset)
	}

	s.cj.Script()
	s.start(t)
	s.awaitOutcomes(t, 150)
	b := s.audit(t)
	require.Equal(t, 150, s.cj.Summary().Acknowledged)
	for _, outcome := range b.byID {
		require.Equal(t, 1, outcome.Attempts)
	}
}

// One order that always fails says nothing about CJ: the others go on and the breaker stays closed.
func TestOneFailingOrderDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.config.Breaker.Open = time.Hour
	s.cj.Script(script(t, "order=BAD status=503")...)
	s.confirm(t, s.order("BAD", "", carrying(clickOf("bad"))))
	s.confirm(t, s.many(200, "ORD")...)
	r := s.start(t)
	s.awaitOutcomes(t, 200)
	s.await(t, "the bad order is tried again and again", func() bool { return len(s.cj.ReceivedOf("BAD")) >= 30 })
	require.Equal(t, breaker.Closed, r.Breaker())
	for _, offset := range s.committed(t) {
		require.Zero(t, offset, "nothing behind an order without outcome is committed")
	}
	s.await(t, "it alone is pending", func() bool { return r.metric(t, "cjrelay_pending_orders") == 1 })

	s.cj.Script()
	s.awaitOutcomes(t, 201)
	b := s.audit(t)
	require.GreaterOrEqual(t, b.byID["BAD"].Attempts, 30)
	require.Equal(t, 201, s.cj.Summary().Acknowledged)
}

// A long outage fills the bounds on orders in memory, and no more is read than they allow.
func TestBoundsHoldDuringAnOutage(t *testing.T) {
	t.Parallel()
	s := open(t, 4)
	s.config.Orders.MaxPending, s.config.Orders.MaxPendingPerPartition = 64, 32
	s.config.Delivery.Concurrency = 16
	s.config.Breaker.ConsecutiveOrders, s.config.Breaker.MinSamples = 10_000, 10_000
	s.cj.Script(script(t, "status=503")...)
	const orders = 1000
	s.confirm(t, s.many(orders, "ORD")...)
	r := s.start(t)
	s.awaitRequests(t, 1000)
	require.LessOrEqual(t, r.metric(t, "cjrelay_pending_orders"), 64.0)
	ids := map[string]bool{}
	for _, request := range s.cj.Received() {
		ids[request.OrderID] = true
	}
	require.LessOrEqual(t, len(ids), 64)
	s.cj.Script()
	s.awaitOutcomes(t, orders)
	s.audit(t)
	require.Equal(t, orders, s.cj.Summary().Acknowledged)
}
