package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// A transaction that does not end keeps all orders behind it from being read, and no lag knows of them. A producer's
// time-out ends it before that is a stall; one that hangs is said.
func TestTransactionThatDoesNotEndIsAStallOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1, kfake.BrokerConfigs(map[string]string{"transaction.max.timeout.ms": "86400000"}))
		r := b.start(t)
		producer := b.Client(t, append(b.Options(), kgo.TransactionalID("hangs"), kgo.TransactionTimeout(time.Hour))...)
		require.NoError(t, producer.BeginTransaction())
		require.NoError(t, producer.ProduceSync(t.Context(), &kgo.Record{Topic: b.config.Topic, Value: []byte(b.another())}).FirstErr())
		b.confirm(t, 0, b.another(), b.another())
		time.Sleep(openTooLong / 2)
		require.EqualValues(t, 3, r.heldByTransactions())
		require.NoError(t, r.check(t, "progress"))
		time.Sleep(openTooLong)
		require.ErrorContains(t, r.check(t, "progress"), "no progress: 1")
		require.Positive(t, b.log.count("kafka-transactions.sh"))

		require.NoError(t, producer.EndTransaction(t.Context(), kgo.TryCommit))
		b.requireCommitted(t, 0, 4)
		time.Sleep(2 * sampleEvery)
		require.Zero(t, r.heldByTransactions())
		require.NoError(t, r.check(t, "progress"))
	})
}

// Where one transaction follows the other there is always one open. What counts is whether the partition moves on.
func TestTransactionsThatFollowEachOtherAreNoStall(t *testing.T) {
	t.Parallel()
	c, _ := still(t)
	note := func(stable, written int64, now time.Time) {
		at := func(offset int64) kadm.ListedOffsets {
			return kadm.ListedOffsets{"orders": {0: {Topic: "orders", Offset: offset}}}
		}
		c.noteOpen(at(stable), at(written), now)
	}
	note(5, 8, noon)
	note(5, 9, noon.Add(openTooLong))
	require.Empty(t, c.hanging(noon.Add(openTooLong)))
	require.Len(t, c.hanging(noon.Add(openTooLong+time.Second)), 1)
	require.EqualValues(t, 4, c.heldByTransactions())
	note(6, 9, noon.Add(openTooLong+time.Second))
	require.Empty(t, c.hanging(noon.Add(2*openTooLong)))
	note(9, 9, noon.Add(2*openTooLong))
	require.Zero(t, c.heldByTransactions())
}

// On a busy topic an order comes between any two questions to the brokers. It is behind no transaction.
func TestOrderThatComesDuringASampleIsInNoTransactionOnFake(t *testing.T) {
	t.Parallel()
	s := newShelf(t, kafkatest.StartFake(t))
	s.fill(t)
	c, _ := still(t)
	c.config.Topic = s.topic
	asked := 0 // by the fake's one goroutine
	s.Fake.ControlKey(kmsg.ListOffsets.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.Fake.KeepControl()
		if asked++; asked == 2 {
			s.Fake.SleepControl(func() { s.Produce(t, &kgo.Record{Topic: s.topic, Value: []byte("v")}) })
		}
		return nil, nil, false
	})
	c.sample(t.Context(), kadm.NewClient(s.Client(t)))
	require.Contains(t, c.ends, int32(0))
	require.Zero(t, c.heldByTransactions())
}
