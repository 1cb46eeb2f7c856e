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

// A stop that cannot wait for CJ cuts its requests off. Those orders are sent again by the next relay, in the
// same words.
func TestOrdersCutOffByAStopAreSentAgain(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
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
	s.cj.Script(cjtest.Rule{Latency: cjtest.Fixed(500 * time.Millisecond)})
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
