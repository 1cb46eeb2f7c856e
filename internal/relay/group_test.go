package relay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
)

// Two relays share the partitions. One joins and one leaves in the middle of the work: nothing is lost and
// nothing is sent twice.
func TestRelaysOfOneGroupShareTheWork(t *testing.T) {
	t.Parallel()
	s := open(t, 6)
	s.config.Delivery.Concurrency = 8
	s.cj.Script(cjtest.Rule{Latency: cjtest.Between(0, 20*time.Millisecond)})
	owns := func(r *running, partitions int) func() bool {
		return func() bool { return int(r.metric(t, "cjrelay_assigned_partitions")) == partitions }
	}
	const each = 400
	s.confirm(t, s.many(each, "ALONE")...)
	first := s.start(t)
	s.awaitRequests(t, 20)
	require.True(t, owns(first, 6)())

	second := s.start(t)
	s.await(t, "the second relay has its half", owns(second, 3))
	s.await(t, "the first relay has its half", owns(first, 3))
	s.confirm(t, s.many(each, "TOGETHER")...)
	acknowledged := func(r *running) float64 {
		return r.metric(t, "cjrelay_outcomes_total", "outcome", "acknowledged", "reason", "carried")
	}
	s.await(t, "both work", func() bool { return acknowledged(first) > 0 && acknowledged(second) > 20 })

	s.confirm(t, s.many(each, "LEAVING")...)
	first.halt(t)
	require.Less(t, s.cj.Count(), 3*each, "it left too late to test anything")
	s.await(t, "the second relay has everything", owns(second, 6))
	s.awaitOutcomes(t, 3*each)
	s.audit(t)
	require.Equal(t, 3*each, s.cj.Count())
}

// Two groups know nothing of each other: each sends every order.
func TestGroupsAreIndependent(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.confirm(t, s.many(10, "ORD")...)
	s.start(t).awaitIdle(t, s, 10)
	s.audit(t)

	other := *s
	other.relays, other.seen, other.crashed = nil, nil, true
	other.config.Orders.Group += "-other"
	other.config.Outcomes.Topic = s.kafka.Topic(t, "outcomes-other", 1, nil)
	other.start(t).awaitIdle(t, &other, 20)
	other.audit(t)
	require.Equal(t, 20, s.cj.Count())
	require.Equal(t, 10, s.cj.Summary().Duplicates)
}

// awaitIdle waits until CJ has n requests and the relay has no work left.
func (r *running) awaitIdle(t *testing.T, s *shop, n int) {
	t.Helper()
	s.awaitRequests(t, n)
	s.await(t, "no order is pending", func() bool { return r.metric(t, "cjrelay_pending_orders") == 0 })
}
