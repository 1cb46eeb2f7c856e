package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// commitAt sets the group's offsets, as if it had worked before.
func (b *bundle) commitAt(t *testing.T, offsets map[int32]int64) {
	t.Helper()
	var all kadm.Offsets
	for partition, offset := range offsets {
		all.AddOffset(b.config.Topic, partition, offset, -1)
	}
	require.NoError(t, b.Admin.CommitAllOffsets(t.Context(), b.config.Group, all))
}

func TestGapBelowTheLogStartIsReportedAndCrossed(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	all := ids(10)
	b.confirm(t, 0, orders(all...)...)
	b.commitAt(t, map[int32]int64{0: 2})
	deleteRecords(t, b.Cluster, b.config.Topic, map[int32]int64{0: 5})
	r := b.start(t)
	b.requireCommitted(t, 0, 10)
	require.EqualValues(t, 3, testutil.ToFloat64(r.metrics.lost))
	b.requireOnce(t, all[5:])
	require.Equal(t, 5, b.cj.total())
	require.Equal(t, 1, b.log.count("lost_to_retention"))
	require.NoError(t, r.check(t, "offsets"))
	require.Empty(t, r.pausedFor())
}

// What was done above the committed offset is not lost with it.
func TestGapIsWhatHadNoOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.confirm(t, 0, orders(ids(10)...)...)
	topics, err := b.Admin.ListTopics(t.Context(), b.config.Topic)
	require.NoError(t, err)
	before := kadm.Offsets{}
	before.Add(kadm.Offset{Topic: b.config.Topic, At: 2, LeaderEpoch: -1,
		Metadata: encodeMetadata(topics[b.config.Topic].ID, 2, spans{{3, 4}, {5, 7}}, metadataLimit)})
	require.NoError(t, b.Admin.CommitAllOffsets(t.Context(), b.config.Group, before))
	deleteRecords(t, b.Cluster, b.config.Topic, map[int32]int64{0: 6})
	r := b.start(t)
	b.requireCommitted(t, 0, 10)
	require.EqualValues(t, 2, testutil.ToFloat64(r.metrics.lost), "2 and 4")
	require.Equal(t, 3, b.cj.total(), "7 to 9")
}

// Where nothing is left behind the gap, the gap must be committed all the same, or each restart reports it anew.
func TestGapUpToTheEndIsReportedOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.confirm(t, 0, orders(ids(10)...)...)
	b.commitAt(t, map[int32]int64{0: 2})
	deleteRecords(t, b.Cluster, b.config.Topic, map[int32]int64{0: 10})
	r := b.start(t)
	b.requireCommitted(t, 0, 10)
	require.EqualValues(t, 8, testutil.ToFloat64(r.metrics.lost))
	r.halt(t)
	again := b.start(t)
	b.confirm(t, 0, order("next"))
	b.requireCommitted(t, 0, 11)
	require.Zero(t, testutil.ToFloat64(again.metrics.lost))
	require.Equal(t, 1, b.cj.total())
}

func TestOffsetBeyondTheEndStopsThePartitionAndAsks(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	b.confirm(t, 0, orders(ids(3)...)...)
	b.confirm(t, 1, order("other"))
	b.commitAt(t, map[int32]int64{0: 50, 1: 0})
	r := b.start(t)
	eventually(t, func() bool { return r.check(t, "offsets") != nil }, "Ready does not say it")
	require.ErrorContains(t, r.check(t, "offsets"), "partition 0: the group's offset 50 is beyond the end of topic "+b.config.Topic)
	b.requireCommitted(t, 1, 1)
	require.True(t, r.pausedFor()[PauseOffsets], "the client must not ask for it again and again")
	require.Zero(t, b.cj.attemptsOf("ORD-0"), "history was fired again")
	require.EqualValues(t, 50, b.committed(t, 0))
	require.Equal(t, 1, b.log.count("partition stopped"))
	require.Zero(t, testutil.ToFloat64(r.metrics.lost))
	// A person sets the offset, as the message says.
	r.halt(t)
	b.commitAt(t, map[int32]int64{0: 3})
	b.confirm(t, 0, order("next"))
	after := b.start(t)
	b.requireCommitted(t, 0, 4)
	require.NoError(t, after.check(t, "offsets"))
	require.Equal(t, 2, b.cj.total())
}

// An answer of a replica that is not up to date looks like an offset out of range. It is none.
func TestOffsetThatTheLogHasIsReadAgainOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	r := b.start(t)
	b.confirm(t, 0, order("before"))
	b.requireCommitted(t, 0, 1)
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: b.config.Topic, Err: kerr.OffsetOutOfRange, Count: 2})
	require.NoError(t, fault.Wait(t.Context(), 2))
	b.confirm(t, 0, order("after"))
	b.requireCommitted(t, 0, 2)
	require.NoError(t, r.check(t, "offsets"))
	require.Zero(t, testutil.ToFloat64(r.metrics.lost))
	require.Equal(t, 2, b.cj.total())
}

// Brokers that do not tell where the log begins hold back neither the others nor, for long, a rebalance.
func TestRangeThatCannotBeAskedIsAskedAgainOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 2)
		b.confirm(t, 0, b.pastOrders(10)...)
		b.commitAt(t, map[int32]int64{0: 2, 1: 0})
		deleteRecords(t, b.Cluster, b.config.Topic, map[int32]int64{0: 5})
		goOn := make(chan struct{})
		b.Fake.ControlKey(kmsg.ListOffsets.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
			b.Fake.KeepControl()
			for _, topic := range request.(*kmsg.ListOffsetsRequest).Topics {
				if topic.Topic == b.config.Topic && topic.Partitions[0].Timestamp == -2 {
					b.Fake.SleepControl(func() { <-goOn })
				}
			}
			return nil, nil, false
		})
		r := b.start(t)
		began := time.Now()
		eventually(t, func() bool { return b.log.count("the log's range cannot be asked") == 1 }, "the poll waits for the answer")
		require.LessOrEqual(t, time.Since(began), rangeTimeout+2*time.Second)
		close(goOn)
		b.requireCommitted(t, 0, 10)
		require.Equal(t, 1, b.log.count("lost_to_retention"))
		require.EqualValues(t, 3, testutil.ToFloat64(r.metrics.lost))
		r.halt(t)
	})
}
