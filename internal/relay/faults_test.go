package relay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// The faults here are Kafka's own, and only the fake has them at hand.

// An order whose outcome is not durable is not done: nothing is committed, and CJ does not hear of it again.
func TestOutcomeThatCannotBeWrittenBlocksTheCommit(t *testing.T) {
	t.Parallel()
	s := openOn(t, kafkatest.StartFake(t), 1)
	fault := s.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.config.Outcomes.Topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	s.confirm(t, s.many(5, "ORD")...)
	r := s.start(t)
	s.awaitRequests(t, 5)
	s.await(t, "the writes are tried again", func() bool {
		return r.metric(t, "cjrelay_write_failures_total", "topic", s.config.Outcomes.Topic) >= 20
	})
	require.Zero(t, s.committed(t)[0])
	require.EqualValues(t, 5, r.metric(t, "cjrelay_pending_orders"))
	fault.Remove()
	s.awaitOutcomes(t, 5)
	s.audit(t)
	require.Equal(t, 5, s.cj.Count())
}

// The same for a dead letter; the orders beside it go on.
func TestDeadLetterThatCannotBeWrittenBlocksTheCommit(t *testing.T) {
	t.Parallel()
	s := openOn(t, kafkatest.StartFake(t), 1)
	fault := s.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.config.DeadLetter.Topic, Err: kerr.TopicAuthorizationFailed, Count: -1})
	s.confirm(t, s.order("BAD", "", carrying(clickOf("bad")), func(o *schema.Order) { o.Items[0].SKU = "SKU 1" }))
	s.confirm(t, s.many(5, "ORD")...)
	r := s.start(t)
	s.awaitOutcomes(t, 5)
	s.await(t, "the write is tried again", func() bool {
		return r.metric(t, "cjrelay_write_failures_total", "topic", s.config.DeadLetter.Topic) >= 5
	})
	require.Zero(t, s.committed(t)[0])
	fault.Remove()
	s.awaitOutcomes(t, 6)
	b := s.audit(t)
	require.Equal(t, schema.ReasonUnbuildable, b.byID["BAD"].Reason)
	require.Equal(t, 5, s.cj.Count())
}

// A commit that fails is made again, also the last one before a stop.
func TestCommitThatFailsIsMadeAgain(t *testing.T) {
	t.Parallel()
	for name, interval := range map[string]time.Duration{"WhileItRuns": 10 * time.Millisecond, "AtTheStop": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openOn(t, kafkatest.StartFake(t), 1)
			s.config.Delivery.CommitInterval = interval
			s.confirm(t, s.many(5, "ORD")...)
			s.start(t).awaitIdle(t, s, 5)
			s.awaitOutcomes(t, 5)
			fault := s.kafka.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: s.config.Orders.Group, Err: kerr.UnknownServerError, Count: 4})
			s.confirm(t, s.many(5, "LATER")...)
			s.awaitOutcomes(t, 10)
			s.audit(t)
			require.Equal(t, 4, fault.Hits())
			require.Equal(t, 10, s.cj.Count())
			require.NotZero(t, s.relays[0].metric(t, "cjrelay_commits_total", "result", "failed"))
		})
	}
}
