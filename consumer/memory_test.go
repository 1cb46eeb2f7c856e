package consumer

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

func TestMemoryIsBoundedAndForgets(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for offset := range int64(memoryLimit + 10) {
		m.acknowledged(schema.OutcomeRecord{Partition: int32(offset % 2), Offset: offset})
	}
	require.Equal(t, memoryLimit, m.size)
	_, known := m.recall(0, memoryLimit+2)
	require.False(t, known)
	m.forget(0, memoryLimit)
	require.Equal(t, memoryLimit/2, m.size)
	_, known = m.recall(0, 10)
	require.False(t, known)
	before, known := m.recall(1, 11)
	require.True(t, known, "another partition keeps its own")
	require.EqualValues(t, 11, before.outcome.Offset)
	m.durable(1, 11)
	m.acknowledged(schema.OutcomeRecord{Partition: 1, Offset: 11})
	require.Equal(t, memoryLimit/2, m.size, "once each")
	before, _ = m.recall(1, 11)
	require.True(t, before.durable, "what is durable stays so")
}

// Kafka is away: CJ acknowledges, the outcome cannot be written, and the partition is lost. When it comes back the
// order is not sent again.
func TestAcknowledgedOrderOfALostPartitionIsNotSentAgainOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	sent := make(chan string, 10)
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		sent <- id
		return acknowledged
	})
	down := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: b.config.OutcomesTopic, Err: kerr.NotEnoughReplicas, Count: -1})
	b.confirm(t, 0, order("ORD-1"))
	r := b.start(t)
	require.Equal(t, "ORD-1", <-sent)
	eventually(t, func() bool { return down.Hits() > 0 }, "the outcome is being written")
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: b.config.Group, Err: kerr.UnknownMemberID, Count: 1})
	eventually(t, func() bool { return b.log.count("partitions lost") == 1 }, "the partition is lost")
	down.Remove()
	b.requireCommitted(t, 0, 1)
	require.Empty(t, sent, "it was sent once")
	require.NotEmpty(t, b.outcomes(t))
	r.halt(t)
}

// The partition is lost while CJ's answer is on its way, and comes back before that: the order waits for itself, and is
// not sent again.
func TestAnswerThatComesInALaterLifeCountsOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	answer := make(chan struct{})
	b.cj.answers(func(context.Context, string) postback.Answer {
		<-answer
		return acknowledged
	})
	b.confirm(t, 0, order("ORD-1"))
	r := b.start(t)
	eventually(t, func() bool { return b.cj.total() == 1 }, "not sent")
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: b.config.Group, Err: kerr.UnknownMemberID, Count: 1})
	eventually(t, func() bool { return r.duplicates.waitingNow() == 1 }, "it is not read again")
	close(answer)
	b.requireCommitted(t, 0, 1)
	require.Equal(t, 1, b.cj.total())
	require.Equal(t, schema.Acknowledged, b.outcomes(t)["ORD-1"].Outcome)
}

// The outcomes are written but the group could not be told, and the partition is lost. When it comes back nothing
// is done again: no postback, no dead letter, no outcome.
func TestOrdersOfALostPartitionAreDoneOnceOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.cj.always(acknowledged)
	b.config.CommitInterval = time.Hour
	b.confirm(t, 0, order("ORD-1"), "garbage", order("ORD-2"))
	r := b.start(t)
	eventually(t, func() bool { return len(b.outcomes(t)) == 3 }, "three outcomes")
	require.EqualValues(t, 0, b.committed(t, 0))
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: b.config.Group, Err: kerr.UnknownMemberID, Count: 1})
	eventually(t, func() bool { return testutil.ToFloat64(r.metrics.alreadyDone) == 3 }, "they are read again")
	r.halt(t)
	b.requireCommitted(t, 0, 3)
	require.Len(t, b.outcomes(t), 3)
	require.Len(t, b.Read(t, b.config.DeadLetterTopic), 1)
}

func TestMemoryForgetsWhatStaysAway(t *testing.T) {
	t.Parallel()
	m := newMemory()
	for offset := range int64(memoryLimit) {
		m.durable(int32(offset%2), offset)
	}
	ours := func(partitions ...int32) func(int32) bool {
		return func(partition int32) bool { return slices.Contains(partitions, partition) }
	}
	now := time.Now()
	m.age(ours(0), now)
	m.age(ours(0), now.Add(memoryAge-1))
	_, known := m.recall(1, 1)
	require.True(t, known, "it may still come back")
	// It comes back for a moment, and its time starts anew.
	m.age(ours(0, 1), now.Add(memoryAge-1))
	m.age(ours(0), now.Add(memoryAge))
	m.age(ours(0), now.Add(2*memoryAge-1))
	_, known = m.recall(1, 1)
	require.True(t, known)
	m.age(ours(0), now.Add(2*memoryAge))
	_, known = m.recall(1, 1)
	require.False(t, known)
	_, known = m.recall(0, 0)
	require.True(t, known, "ours never gets old")
	require.Equal(t, memoryLimit/2, m.size)
	m.durable(0, memoryLimit)
	_, known = m.recall(0, memoryLimit)
	require.True(t, known, "there is room again")
}

// The consumer itself says which partitions are its own.
func TestMemoryOfARunningConsumerAgesOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		eventually(t, func() bool { return r.partitions() == 1 }, "no partition")
		old := time.Now().Add(-memoryAge)
		for partition := range int32(2) {
			r.memory.durable(partition, 7)
			r.memory.mu.Lock()
			r.memory.partitions[partition].away = old
			r.memory.mu.Unlock()
		}
		time.Sleep(2 * sampleEvery)
		_, known := r.memory.recall(0, 7)
		require.True(t, known)
		_, known = r.memory.recall(1, 7)
		require.False(t, known)
		r.halt(t)
	})
}

// What the group has is never read again: it would take the room of what is not committed.
func TestMemoryForgetsWhatTheGroupHas(t *testing.T) {
	t.Parallel()
	for name, learn := range map[string]func(l *life){
		"WhenItIsCommitted":         func(l *life) { l.noteCommitted(position{offset: 6}) },
		"WhenAnotherHasCommittedIt": func(l *life) { l.begin(position{offset: 6}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, l := still(t)
			c.memory.durable(0, 5)
			c.memory.durable(0, 6)
			learn(l)
			_, known := c.memory.recall(0, 5)
			require.False(t, known)
			_, known = c.memory.recall(0, 6)
			require.True(t, known)
		})
	}
}
