package relay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
)

// history is ten orders of the past and the time after which five of them were produced.
func (s *shop) history(t *testing.T) (middle time.Time) {
	t.Helper()
	middle = s.now.Add(-time.Hour)
	for i, o := range s.many(10, "PAST") {
		record := s.record(t, o)
		record.Key, record.Partition = nil, int32(i%2)
		record.Timestamp = middle.Add(time.Duration(i-5) * time.Minute)
		s.kafka.Produce(t, record)
	}
	return middle
}

// Nobody fires history, or skips orders, by accident: where a new group starts is said, and said once.
func TestFirstStart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		start func(middle time.Time) string
		past  []string // which of the past orders are sent
	}{
		{"Earliest", func(time.Time) string { return config.StartEarliest },
			[]string{"PAST-0", "PAST-1", "PAST-2", "PAST-3", "PAST-4", "PAST-5", "PAST-6", "PAST-7", "PAST-8", "PAST-9"}},
		{"Latest", func(time.Time) string { return config.StartLatest }, nil},
		{"Time", func(middle time.Time) string { return middle.Format(time.RFC3339Nano) }, []string{"PAST-5", "PAST-6", "PAST-7", "PAST-8", "PAST-9"}},
		{"TimeBeforeTheFirst", func(middle time.Time) string { return middle.Add(-24 * time.Hour).Format(time.RFC3339) },
			[]string{"PAST-0", "PAST-1", "PAST-2", "PAST-3", "PAST-4", "PAST-5", "PAST-6", "PAST-7", "PAST-8", "PAST-9"}},
		{"TimeAfterTheLast", func(middle time.Time) string { return middle.Add(30 * time.Minute).Format(time.RFC3339) }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, 2)
			s.config.Orders.Start = c.start(s.history(t))
			r := s.start(t)
			s.await(t, "the relay has its partitions", func() bool { return r.metric(t, "cjrelay_assigned_partitions") == 2 })
			for _, offset := range s.committed(t) {
				require.GreaterOrEqual(t, offset, int64(0), "the start is committed for every partition before anything is fetched")
			}
			s.confirm(t, s.many(4, "NEW")...)
			s.awaitOutcomes(t, len(c.past)+4)
			r.halt(t)
			s.requireSent(t, append([]string{"NEW-0", "NEW-1", "NEW-2", "NEW-3"}, c.past...))

			// Later starts go on where the group stands, whatever the configuration says.
			s.config.Orders.Start = config.StartEarliest
			r = s.start(t)
			s.confirm(t, s.many(4, "NEWER")...)
			s.awaitOutcomes(t, len(c.past)+8)
			r.halt(t)
			s.requireSent(t, append([]string{"NEW-0", "NEW-1", "NEW-2", "NEW-3", "NEWER-0", "NEWER-1", "NEWER-2", "NEWER-3"}, c.past...))
			s.requireCommitted(t)
		})
	}
}

// requireSent demands that CJ received exactly these orders, once each.
func (s *shop) requireSent(t *testing.T, ids []string) {
	t.Helper()
	var sent []string
	for _, request := range s.cj.Received() {
		sent = append(sent, request.OrderID)
	}
	require.ElementsMatch(t, ids, sent)
}

func TestFirstStartOnHistoryWithoutOrdersStartIsRefused(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.history(t)
	s.config.Orders.Start = ""
	err := s.refuses(t)
	require.ErrorContains(t, err, "orders.start is not set")
	require.ErrorContains(t, err, "holds about 10 records")
	require.ErrorContains(t, err, "time (safest), earliest (fires all of them) or latest (skips them)")
	require.Zero(t, s.cj.Count())
	for _, offset := range s.committed(t) {
		require.Negative(t, offset, "nothing is committed for a start that was refused")
	}
}

func TestFirstStartOnAnEmptyTopicNeedsNoOrdersStart(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	s.config.Orders.Start = ""
	r := s.start(t)
	s.await(t, "the relay has its partitions", func() bool { return r.metric(t, "cjrelay_assigned_partitions") == 2 })
	s.confirm(t, s.many(10, "ORD")...)
	s.awaitOutcomes(t, 10)
	s.audit(t)
	require.Equal(t, 10, s.cj.Count())
}

func TestTopicsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*testing.T, *shop)
		says   []string
	}{
		{"NoClickTopic", func(_ *testing.T, s *shop) { s.config.Clicks.Topic += "-missing" }, []string{"clicks.topic", "-missing", "does not exist", "cjrelay topics"}},
		{"ClickTopicNotCompacted", func(t *testing.T, s *shop) {
			s.config.Clicks.Topic = s.kafka.Topic(t, "plain", 1, map[string]string{"cleanup.policy": "delete"})
		}, []string{"clicks.topic", "is not compacted", "cleanup.policy=delete", "compact,delete"}},
		{"ClickPartitionsThatDoNotMatch", func(t *testing.T, s *shop) {
			s.config.Clicks.Join = config.JoinCopartitioned
			s.config.Clicks.Topic = s.kafka.Topic(t, "three", 3, map[string]string{"cleanup.policy": "compact,delete"})
		}, []string{"has 3 partitions and orders.topic", "has 1", "copartitioned", "or set clicks.join to global"}},
		{"NoOrderTopic", func(_ *testing.T, s *shop) { s.config.Orders.Topic += "-missing" }, []string{"orders.topic", "-missing", "does not exist"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, 1)
			s.confirm(t, s.many(3, "ORD")...)
			c.change(t, s)
			err := s.refuses(t)
			for _, text := range c.says {
				require.ErrorContains(t, err, text)
			}
			require.Zero(t, s.cj.Count())
		})
	}
}

// Retention that is faster than we are is said loudly; what is left is sent.
func TestOrdersThatRetentionTookAreReported(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.confirm(t, s.many(5, "DONE")...)
	r := s.start(t)
	s.awaitOutcomes(t, 5)
	r.halt(t)
	s.confirm(t, s.many(10, "ORD")...)
	cut := kadm.Offsets{}
	cut.AddOffset(s.config.Orders.Topic, 0, 9, -1)
	deleted, err := s.kafka.Admin.DeleteRecords(t.Context(), cut)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
	r = s.start(t)
	s.awaitOutcomes(t, 5+6)
	require.EqualValues(t, 4, r.metric(t, "cjrelay_lost_to_retention_total"))
	require.Contains(t, r.log.String(), "lost_to_retention")
	r.halt(t)
	s.requireCommitted(t)
	require.Equal(t, 11, s.cj.Count())
	require.False(t, s.cj.Acknowledged("ORD-3"))
	require.True(t, s.cj.Acknowledged("ORD-4", "ORD-9"))
}

// A committed offset beyond the end means another topic under the old name: guessing would fire orders again.
func TestCommittedOffsetBeyondTheEndStopsThePartition(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	to := func(partition int32, id string) *kgo.Record {
		r := s.record(t, s.order(id, "", carrying(clickOf(id))))
		r.Key, r.Partition = nil, partition
		return r
	}
	s.kafka.Produce(t, to(0, "STOPPED"), to(1, "FLOWS"))
	offsets := kadm.Offsets{}
	offsets.AddOffset(s.config.Orders.Topic, 0, 1000, -1)
	offsets.AddOffset(s.config.Orders.Topic, 1, 0, -1)
	require.NoError(t, s.kafka.Admin.CommitAllOffsets(t.Context(), s.config.Orders.Group, offsets))
	r := s.start(t)
	s.awaitOutcomes(t, 1)
	s.await(t, "it says so", func() bool { return s.ready(r, "offsets") != nil })
	require.ErrorContains(t, s.ready(r, "offsets"), "the group's offset 1000 is beyond the end")
	r.halt(t)
	s.requireSent(t, []string{"FLOWS"})
	require.Equal(t, map[int32]int64{0: 1000, 1: 1}, s.committed(t))
	require.Equal(t, schema.Acknowledged, s.seen[0].Outcome)
}
