package consumer

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// remake deletes a topic and makes it anew and forgets the group's offset of it, as brokers do.
func (b *bundle) remake(t *testing.T, topic string, partitions int32) {
	t.Helper()
	_, err := b.Admin.DeleteTopics(t.Context(), topic)
	require.NoError(t, err)
	_, err = b.Admin.CreateTopic(t.Context(), partitions, 1, nil, topic)
	require.NoError(t, err)
	_, err = b.Admin.DeleteOffsets(t.Context(), b.config.Group, kadm.TopicsSet{topic: {0: {}}})
	require.NoError(t, err)
}

// Brokers of before Kafka 4.2 take commits by the topic's name: one for the old topic must not land on the new one, whose
// orders below that offset nobody would ever send.
func TestNoCommitForATopicThatWasMadeAnewOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1, kfake.MaxVersions(kversion.V3_9_0()))
		sending, answer := b.cj.hold()
		first := b.start(t)
		b.confirm(t, 0, b.pastOrders(5)...)
		for range 5 {
			<-sending
		}
		b.remake(t, b.config.Topic, 1)
		close(answer)
		time.Sleep(time.Minute)
		require.Len(t, b.outcomes(t), 5)
		require.LessOrEqual(t, b.committed(t, 0), int64(0))
		for range 8 {
			b.confirm(t, 0, b.another())
		}
		began := time.Now()
		first.halt(t)
		require.Less(t, time.Since(began), commitGrace, "the last commit is tried though it never can be made")
		b.start(t)
		b.requireCommitted(t, 0, 8)
		require.Len(t, b.outcomes(t), 13)
	})
}

// A topic of ours that is made anew is written to again, without a restart.
func TestOutcomesGoToATopicThatWasMadeAnewOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.start(t)
		b.confirm(t, 0, b.another())
		b.requireCommitted(t, 0, 1)
		b.remake(t, b.config.OutcomesTopic, 1)
		b.confirm(t, 0, b.another(), b.another(), b.another())
		b.requireCommitted(t, 0, 4)
		require.Len(t, b.outcomes(t), 3)
		require.Equal(t, 4, b.cj.total(), "nothing is sent again for it")
	})
}

// The orders' topic made anew is for a person to settle: its partitions stop and ask, and the log is not flooded.
func TestOrdersTopicMadeAnewStopsAndAsksOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 3)
		r := b.start(t)
		b.confirm(t, 0, b.another())
		b.requireCommitted(t, 0, 1)
		b.remake(t, b.config.Topic, 3)
		time.Sleep(time.Minute)
		require.EqualError(t, r.check(t, "offsets"), "topic "+b.config.Topic+" "+errRemade.Error())
		time.Sleep(time.Minute)
		require.Less(t, b.log.count("UNKNOWN_TOPIC_ID"), 10)
	})
}

// While the topic is gone every poll fails at once. That is tried again at a pace: in the bubble no time would pass
// otherwise, and outside of it a processor would do nothing else.
func TestDeletedTopicIsPolledAtAPaceOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		b.confirm(t, 0, b.another())
		b.requireCommitted(t, 0, 1)
		_, err := b.Admin.DeleteTopics(t.Context(), b.config.Topic)
		require.NoError(t, err)
		began := time.Now()
		fetches := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Observe: true, Count: -1})
		time.Sleep(time.Minute)
		require.Error(t, r.check(t, "group"))
		require.Less(t, int(fetches.Hits()), 2*int(time.Since(began)/pollAgain))
		require.Less(t, b.log.count("reading orders"), 10)
	})
}

// While nobody can say whether the topic is the same one, nothing is committed.
func TestNoCommitWhileTheTopicCannotBeAskedForOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.config.CommitInterval = time.Hour
	b.confirm(t, 0, order("ORD-1"))
	r := b.start(t)
	eventually(t, func() bool { return len(b.outcomes(t)) == 1 && r.bounds.orders() == 0 }, "not done")
	var away atomic.Bool
	away.Store(true)
	b.Fake.ControlKey(kmsg.Metadata.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.Fake.KeepControl()
		return nil, errAway, away.Load()
	})
	require.Error(t, r.commit(t.Context(), r.allLives()))
	require.EqualValues(t, 0, b.committed(t, 0))
	away.Store(false)
	require.NoError(t, r.commit(t.Context(), r.allLives()))
	require.EqualValues(t, 1, b.committed(t, 0))
}
