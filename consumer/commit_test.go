package consumer

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
)

func TestFailedCommitIsMadeAgainOnFake(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]*kerr.Error{
		"RebalanceInProgress":    kerr.RebalanceInProgress,
		"RequestTimedOut":        kerr.RequestTimedOut,
		"IllegalGeneration":      kerr.IllegalGeneration,
		"UnknownMember":          kerr.UnknownMemberID,
		"CoordinatorLoading":     kerr.CoordinatorLoadInProgress,
		"NotCoordinator":         kerr.NotCoordinator,
		"OffsetMetadataTooLarge": kerr.OffsetMetadataTooLarge,
		"Unknown":                kerr.UnknownServerError,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.StartFake(t), 1)
			b.readClicks(t)
			r := b.start(t)
			eventually(t, func() bool { return r.partitions() == 1 }, "no assignment")
			fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Err: code, Count: 3})
			b.confirm(t, 0, orders(ids(5)...)...)
			b.requireCommitted(t, 0, 5)
			require.NoError(t, fault.Wait(t.Context(), 3))
			eventually(t, func() bool { return r.health.commits.current() == nil }, "the trouble does not end")
			require.Equal(t, 5, b.cj.total(), "a commit that fails must not send an order again")
			if !kerr.IsRetriable(code) {
				require.Positive(t, testutil.ToFloat64(r.metrics.commits.WithLabelValues("failed")))
			}
			eventually(t, func() bool { return testutil.ToFloat64(r.metrics.commits.WithLabelValues("ok")) > 0 }, "no success is counted")
		})
	}
}

func TestCommitsThatKeepFailingAreSaidOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	r := b.start(t)
	eventually(t, func() bool { return r.partitions() == 1 }, "no assignment")
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Err: kerr.GroupAuthorizationFailed, Count: -1})
	b.confirm(t, 0, order("ORD-0"))
	eventually(t, func() bool { return r.health.commits.current() != nil }, "no trouble")
	require.ErrorIs(t, r.health.commits.current(), kerr.GroupAuthorizationFailed)
	fault.Remove()
	b.requireCommitted(t, 0, 1)
	eventually(t, func() bool { return r.health.commits.current() == nil }, "the trouble does not end")
}

// The last commit of a partition is the one that spares CJ a repetition.
func TestLastCommitIsMadeAgainOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.config.CommitInterval = time.Hour
	r := b.start(t)
	b.confirm(t, 0, orders(ids(5)...)...)
	eventually(t, func() bool { return len(b.outcomes(t)) == 5 && r.bounds.orders() == 0 }, "not done")
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Err: kerr.RebalanceInProgress, Count: 3})
	r.halt(t)
	require.Equal(t, 3, fault.Hits())
	require.EqualValues(t, 5, b.committed(t, 0))
}

func TestLastCommitGivesUpWhenTheGroupKnowsUsNoMoreOnFake(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]*kerr.Error{"UnknownMember": kerr.UnknownMemberID, "FencedInstance": kerr.FencedInstanceID} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.StartFake(t), 1)
			b.readClicks(t)
			b.config.CommitInterval = time.Hour
			r := b.start(t)
			b.confirm(t, 0, order("ORD-0"))
			eventually(t, func() bool { return len(b.outcomes(t)) == 1 && r.bounds.orders() == 0 }, "not done")
			fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Err: code, Count: -1})
			r.halt(t)
			require.Equal(t, 1, fault.Hits())
		})
	}
}

func TestTroubleWithCommitsIsOverOnFake(t *testing.T) {
	t.Parallel()
	t.Run("WithTheNextOneThatIsMade", func(t *testing.T) {
		t.Parallel()
		b := setup(t, kafkatest.StartFake(t), 1)
		b.readClicks(t)
		b.config.CommitInterval = time.Hour
		r := b.start(t)
		b.confirm(t, 0, order("ORD-0"))
		eventually(t, func() bool { return len(b.outcomes(t)) == 1 && r.bounds.orders() == 0 }, "not done")
		r.health.commits.trouble(errAway)
		require.NoError(t, r.commit(t.Context(), r.allLives()))
		require.EqualValues(t, 1, b.committed(t, 0))
		require.NoError(t, r.health.commits.current())
	})
	t.Run("WhenNothingIsLeftToCommit", func(t *testing.T) {
		t.Parallel()
		c, _ := still(t)
		c.health.commits.trouble(errAway)
		require.NoError(t, c.commit(t.Context(), c.allLives()))
		require.NoError(t, c.health.commits.current(), "what could not be committed is somebody else's by now")
	})
}

// Brokers can be set to take less metadata than we write. The offsets are what matters.
func TestOffsetsAreCommittedWithoutMetadataWhereThatIsRefusedOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Err: kerr.OffsetMetadataTooLarge, Count: -1, When: func(r kmsg.Request) bool {
		metadata := r.(*kmsg.OffsetCommitRequest).Topics[0].Partitions[0].Metadata
		return metadata != nil && *metadata != ""
	}})
	goOn := make(chan struct{})
	b.cj.answers(func(ctx context.Context, id string) postback.Answer {
		if id == "ORD-3" {
			return after(ctx, goOn)
		}
		return acknowledged
	})
	b.confirm(t, 0, orders(ids(10)...)...)
	r := b.start(t)
	b.requireCommitted(t, 0, 3)
	eventually(t, func() bool { return r.health.commits.current() == nil }, "the trouble does not end")
	close(goOn)
	b.requireCommitted(t, 0, 10)
}

// As much of it as they take is written: what is left out would be sent again after a restart.
func TestMetadataIsShortenedToWhatBrokersTakeOnFake(t *testing.T) {
	t.Parallel()
	const most, orders = 300, 400
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	length := func(r kmsg.Request) int {
		if metadata := r.(*kmsg.OffsetCommitRequest).Topics[0].Partitions[0].Metadata; metadata != nil {
			return len(*metadata)
		}
		return 0
	}
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Err: kerr.OffsetMetadataTooLarge, Count: -1,
		When: func(r kmsg.Request) bool { return length(r) > most }})
	// Every second order waits for its time.
	var values []string
	for i, id := range ids(orders) {
		if i%2 == 0 {
			values = append(values, orderAt(id, time.Now().Add(10*time.Minute)))
		} else {
			values = append(values, order(id))
		}
	}
	b.confirm(t, 0, values...)
	r := b.start(t)
	eventually(t, func() bool { return r.bounds.orders() == orders/2 }, "the others do not end")
	r.halt(t)
	committed, err := b.Admin.FetchOffsets(t.Context(), b.config.Group)
	require.NoError(t, err)
	at, known := committed.Lookup(b.config.Topic, 0)
	require.True(t, known)
	require.LessOrEqual(t, len(at.Metadata), most)
	done, err := decodeMetadata(r.topicID, at.At, at.Metadata)
	require.NoError(t, err)
	require.Greater(t, len(done), 50)
	require.Positive(t, b.log.count("raise their offset.metadata.max.bytes"))
}

// One order that does not end holds the commit, whatever ends behind it.
func TestCommitNeverPassesAnOrderWithoutOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	goOn := make(chan struct{})
	b.cj.answers(func(ctx context.Context, id string) postback.Answer {
		if id == "ORD-3" {
			return after(ctx, goOn)
		}
		return acknowledged
	})
	b.confirm(t, 0, orders(ids(50)...)...)
	r := b.start(t)
	eventually(t, func() bool { return r.bounds.orders() == 1 }, "the others do not end")
	b.requireCommitted(t, 0, 3)
	// The broker has the commit a moment before its answer is here.
	eventually(t, func() bool { return lagWithoutTime(t, r) == Lag{Work: 1, Commit: 47} }, "the lag is not told apart")
	close(goOn)
	b.requireCommitted(t, 0, 50)
}

// lagWithoutTime is the lag after the ends were sampled.
func lagWithoutTime(t *testing.T, r *running) Lag {
	t.Helper()
	eventually(t, func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.ends[0] == 50
	}, "the end is not sampled")
	lag := r.Lag()
	require.False(t, lag.Oldest.IsZero())
	lag.Oldest = time.Time{}
	return lag
}

// A transaction's markers and aborted orders are complete as nothing; the commit passes them.
func TestTransactionsOfOrders(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	transaction := func(how kgo.TransactionEndTry, ids ...string) {
		client := b.Client(t, kgo.TransactionalID(kafkatest.Name("platform")))
		require.NoError(t, client.BeginTransaction())
		for _, id := range ids {
			require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: b.config.Topic, Value: []byte(order(id))}).FirstErr())
		}
		require.NoError(t, client.EndTransaction(t.Context(), how))
	}
	r := b.start(t)
	transaction(kgo.TryCommit, "committed-1", "committed-2") // offsets 0, 1 and marker 2
	b.requireCommitted(t, 0, 3)
	transaction(kgo.TryAbort, "aborted-1", "aborted-2", "aborted-3") // 3, 4, 5 and marker 6
	b.requireCommitted(t, 0, 7)
	transaction(kgo.TryCommit, "committed-3") // 7 and marker 8
	b.requireCommitted(t, 0, 9)
	outcomes := b.outcomes(t)
	require.Len(t, outcomes, 3)
	b.requireOnce(t, []string{"committed-1", "committed-2", "committed-3"})
	require.Equal(t, 3, b.cj.total(), "an aborted order was sent")
	eventually(t, func() bool { return r.Lag() == Lag{} }, "lag where nothing is left: %v", r.Lag())
}
