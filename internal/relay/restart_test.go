package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// A graceful stop in the middle of the work costs nothing: no order is lost and none is sent twice.
func TestRestartsInTheMiddleSendNothingTwice(t *testing.T) {
	t.Parallel()
	s := open(t, 4)
	s.config.Delivery.Concurrency = 8
	s.cj.Script(cjtest.Rule{Latency: cjtest.Between(0, 20*time.Millisecond)})
	const orders = 600
	var visits []visit
	var confirmed []*schema.Order
	for i := range orders {
		session := fmt.Sprintf("s-%d", i)
		visits = append(visits, s.hourAgo(session))
		confirmed = append(confirmed, s.order(fmt.Sprintf("ORD-%d", i), session))
	}
	s.visited(t, visits...)
	s.confirm(t, confirmed...)
	for _, done := range []int{50, 200, 400} {
		r := s.start(t)
		s.awaitRequests(t, done)
		r.halt(t)
		require.Less(t, s.cj.Count(), orders, "the stop came too late to test anything")
	}
	s.start(t)
	s.awaitOutcomes(t, orders)
	s.audit(t)
	require.Equal(t, orders, s.cj.Count())
}

// A graceful stop while an order at the head of its partition fails again and again: all that was acknowledged
// behind it is done, though the committed offset cannot say so.
func TestRestartBehindAFailingOrderSendsNothingTwice(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.cj.Script(script(t, "order=BAD status=503")...)
	s.confirm(t, s.order("BAD", "", carrying(clickOf("bad"))))
	s.confirm(t, s.many(100, "ORD")...)
	r := s.start(t)
	s.awaitOutcomes(t, 100)
	r.halt(t)
	s.cj.Script()
	s.start(t)
	s.awaitOutcomes(t, 101)
	b := s.audit(t)
	require.Equal(t, 101, s.cj.Summary().Acknowledged)
	b.requireAcknowledged(t, s, "BAD", clickOf("bad"), schema.ReasonCarried)
}

// The same with failing orders all over: the stop leaves holes everywhere, and the group knows each of them.
func TestRestartAmongFailingOrdersSendsNothingTwice(t *testing.T) {
	t.Parallel()
	s := open(t, 3)
	s.config.Breaker.ConsecutiveOrders, s.config.Breaker.MinSamples = 10_000, 10_000
	const orders = 600
	text := ""
	for i := 0; i < orders; i += 3 {
		text += fmt.Sprintf("order=ORD-%d status=503\n", i)
	}
	s.cj.Script(script(t, text)...)
	s.confirm(t, s.many(orders, "ORD")...)
	for range 2 {
		r := s.start(t)
		s.awaitOutcomes(t, orders/3*2)
		s.await(t, "only the failing ones are left", func() bool { return r.metric(t, "cjrelay_pending_orders") == orders/3 })
		r.halt(t)
		require.Equal(t, orders/3*2, s.cj.Summary().Acknowledged)
	}
	s.cj.Script()
	s.start(t)
	s.awaitOutcomes(t, orders)
	s.audit(t)
	require.Equal(t, orders, s.cj.Summary().Acknowledged)
}

// A stop that cannot wait for CJ cuts its requests off. Those orders are sent again by the next relay, in the
// same words.
func TestOrdersCutOffByAStopAreSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	drain := s.config.Delivery.Drain
	s.config.Delivery.Drain = time.Millisecond
	s.cj.Script(script(t, "hang")...)
	const orders = 20
	s.confirm(t, s.many(orders, "ORD")...)
	r := s.start(t)
	s.awaitRequests(t, orders)
	r.halt(t)
	require.Empty(t, s.kafka.Read(t, s.config.Outcomes.Topic))
	require.EqualValues(t, orders, r.metric(t, "cjrelay_attempts_total", "class", "cancelled"))
	for _, offset := range s.committed(t) {
		require.Zero(t, offset)
	}

	s.cj.Script()
	// An outcome can be read before its writer has heard of it: this relay's stop must wait for that.
	s.config.Delivery.Drain = drain
	s.start(t)
	s.awaitOutcomes(t, orders)
	b := s.audit(t)
	require.Equal(t, 2*orders, s.cj.Count())
	for i := range orders {
		id := fmt.Sprintf("ORD-%d", i)
		requests := s.cj.ReceivedOf(id)
		require.Len(t, requests, 2)
		require.Equal(t, requests[0].Query, requests[1].Query)
		require.Zero(t, requests[0].Status)
		require.Equal(t, 1, b.byID[id].Attempts)
	}
}

// A stop waits for requests under way, however many orders wait behind them.
func TestStopWaitsForRequestsUnderWay(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.config.Delivery.Concurrency = 4
	// So long that a machine that stops for a moment does not let CJ answer all of them before the stop.
	s.cj.Script(cjtest.Rule{Latency: cjtest.Fixed(8 * time.Second)})
	s.confirm(t, s.many(40, "ORD")...)
	r := s.start(t)
	s.awaitRequests(t, 4)
	r.halt(t)
	sent := s.cj.Count()
	require.LessOrEqual(t, sent, 8)
	require.Equal(t, sent, s.cj.Summary().Acknowledged)
	require.Len(t, s.kafka.Read(t, s.config.Outcomes.Topic), sent)
	require.EqualValues(t, sent, s.committed(t)[0])

	s.cj.Script()
	s.start(t)
	s.awaitOutcomes(t, 40)
	s.audit(t)
	require.Equal(t, 40, s.cj.Count())
}
