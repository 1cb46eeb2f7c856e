package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
)

func (r *running) partitions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.lives)
}

// requireOnce checks that CJ got every order exactly once.
func (b *bundle) requireOnce(t *testing.T, ids []string) {
	t.Helper()
	for _, id := range ids {
		require.Equal(t, 1, b.cj.attemptsOf(id), id)
	}
}

func TestRevokeDrainsAndCommitsWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 4)
	b.readClicks(t)
	b.config.CommitInterval = time.Hour // only the revoke commits
	b.config.Concurrency = 4
	all := ids(4)
	for partition, id := range all {
		b.confirm(t, int32(partition), order(id))
	}
	sending, answer := b.cj.hold()
	first := b.start(t)
	for range all {
		<-sending
	}
	before := first.allLives()
	require.Equal(t, shareOf(b.config, 4), first.share())
	second := b.start(t)
	eventually(t, func() bool { return b.log.count("partitions revoked") > 0 }, "nothing is revoked")
	require.Zero(t, second.partitions(), "a partition goes over only when its orders have ended")
	close(answer)
	b.cj.always(acknowledged)
	eventually(t, func() bool { return first.partitions() == 2 && second.partitions() == 2 }, "the group does not settle")
	require.Equal(t, shareOf(b.config, 2), first.share())
	for _, l := range before {
		require.Equal(t, first.life(l.partition) != l, l.hasEnded(), "nothing may be committed for a partition that is gone")
	}
	eventually(t, func() bool { return len(b.outcomes(t)) == 4 }, "orders without an outcome")
	first.halt(t)
	second.halt(t)
	for partition := range all {
		require.EqualValues(t, 1, b.committed(t, int32(partition)))
	}
	b.requireOnce(t, all)
}

// The drain's deadline is over and CJ answers after all: the order is the next owner's, and sent once more.
func TestLateAnswerAfterTheDrainChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	b.config.Drain = 50 * time.Millisecond
	b.confirm(t, 0, order("ORD-0"))
	b.confirm(t, 1, order("ORD-1"))
	sending := make(chan string, 100)
	b.cj.answers(func(ctx context.Context, id string) postback.Answer {
		sending <- id
		<-ctx.Done()
		return acknowledged
	})
	first := b.start(t)
	<-sending
	<-sending
	second := b.start(t)
	eventually(t, func() bool { return first.partitions() == 1 && second.partitions() == 1 }, "the group does not settle")
	<-sending // by the new owner
	require.Equal(t, 3, b.cj.total())
	require.Empty(t, b.outcomes(t))
	require.EqualValues(t, 0, max(b.committed(t, 0), b.committed(t, 1)))
	b.cj.always(acknowledged)
	first.halt(t)
	second.halt(t)
	b.start(t)
	b.requireCommitted(t, 0, 1)
	b.requireCommitted(t, 1, 1)
	require.Len(t, b.outcomes(t), 2)
}

// Who is thrown out of the group owns nothing: an answer that comes then is not committed, though the member
// is in the group again a moment later.
func TestLostPartitionsCommitNothingOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.config.Drain = 50 * time.Millisecond
	b.confirm(t, 0, orders(ids(3)...)...)
	sending := make(chan string, 100)
	b.cj.answers(func(ctx context.Context, id string) postback.Answer {
		sending <- id
		<-ctx.Done()
		return postback.Answer{Class: postback.Cancelled}
	})
	r := b.start(t)
	for range 3 {
		<-sending
	}
	before := r.life(0)
	commits := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Topic: b.config.Topic, Partitions: []int32{0}, Observe: true, Count: -1})
	b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: b.config.Group, Err: kerr.UnknownMemberID, Count: 1})
	for range 3 {
		<-sending // again, in a new life
	}
	require.Equal(t, 1, b.log.count("partitions lost"))
	after := r.life(0)
	require.NotSame(t, before, after)
	require.True(t, before.hasEnded())
	_, committable := before.committable(false)
	require.False(t, committable)
	require.Zero(t, commits.Hits())
	require.EqualValues(t, 0, b.committed(t, 0))
	require.Empty(t, b.outcomes(t))
	require.NoError(t, r.health.group.current(), "the group is joined again")
	require.Equal(t, 3, r.bounds.orders(), "what was abandoned no longer counts")
	b.cj.always(acknowledged)
	r.halt(t)
}

// A partition that is lost between the choice of what to commit and the request is not committed: by then the client
// may be a member again, in a generation in which the partition is somebody else's.
func TestCommitOfALostPartitionIsSkippedOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	b.config.CommitInterval = time.Hour
	b.confirm(t, 0, order("ORD-0"))
	r := b.start(t)
	eventually(t, func() bool { return len(b.outcomes(t)) == 1 }, "no outcome")
	l := r.life(0)
	var next position
	eventually(t, func() (ok bool) { next, ok = l.committable(false); return ok }, "nothing to commit")
	commits := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Observe: true, Count: -1})
	chosen, lives := map[int32]position{0: next}, map[int32]*life{0: l}
	l.end()
	require.ErrorIs(t, r.requestCommit(t.Context(), chosen, lives), errEnded)
	require.Zero(t, commits.Hits())
}

// Without a membership a commit would pass for one from outside of the group, which a group without members takes.
func TestCommitNeedsAMembershipOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	c := New(b.config)
	c.client = b.Client(t)
	commits := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Observe: true, Count: -1})
	require.ErrorIs(t, c.requestCommit(t.Context(), map[int32]position{0: {offset: 1}}, map[int32]*life{0: newLife(c, 0)}), errNoMember)
	require.Zero(t, commits.Hits())
}

// The group's trouble is seen in polls, but a quiet topic has none that would show its end.
func TestTroubleWithTheGroupEndsWithoutOrdersOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: b.config.Group, Err: kerr.GroupAuthorizationFailed, Count: -1})
	r := b.start(t)
	eventually(t, func() bool { return r.health.group.current() != nil }, "no trouble")
	require.ErrorIs(t, r.health.group.current(), kerr.GroupAuthorizationFailed)
	fault.Remove()
	eventually(t, func() bool { return r.partitions() == 1 && r.health.group.current() == nil }, "the trouble does not end")
}

func TestShutdownDrainsCommitsAndLeaves(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.CommitInterval = time.Hour
	b.config.Concurrency = 2
	b.confirm(t, 0, orders(ids(10)...)...)
	sending, answer := b.cj.hold()
	r := b.start(t)
	under := map[string]bool{<-sending: true, <-sending: true}
	r.cancel()
	eventually(t, func() bool { return r.life(0) == nil || r.life(0).open.Err() != nil }, "the drain does not begin")
	close(answer)
	<-r.done
	require.NoError(t, r.err)
	require.Len(t, b.outcomes(t), 2, "what was under way ended, the others stay for the next start")
	for id := range b.outcomes(t) {
		require.True(t, under[id])
	}
	b.cj.always(acknowledged)
	b.config.CommitInterval = 10 * time.Millisecond
	b.start(t)
	b.requireCommitted(t, 0, 10)
	for _, id := range ids(2) {
		require.Equal(t, 1, b.cj.attemptsOf(id), "acknowledged and committed, yet sent again")
	}
}

func TestShutdownDoesNotWaitForOrdersThatWait(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.BackoffInitial, b.config.BackoffMax, b.config.Drain = time.Hour, time.Hour, time.Hour
	b.cj.always(unavailable)
	b.confirm(t, 0, order("backs-off"), orderAt("future", time.Now().Add(10*time.Minute)))
	r := b.start(t)
	eventually(t, func() bool { return b.cj.attemptsOf("backs-off") > 0 && r.bounds.orders() == 2 }, "not sent")
	r.halt(t)
	require.EqualValues(t, 0, b.committed(t, 0))
	require.Zero(t, r.bounds.orders())
}

// Members come and go while orders flow. Every order is sent, and what drained in time is not sent twice.
func TestRebalancesLoseAndRepeatNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 6)
	b.readClicks(t)
	b.cj.answers(func(context.Context, string) postback.Answer {
		time.Sleep(3 * time.Millisecond) // CJ's latency, so that orders are under way throughout
		return acknowledged
	})
	all := ids(1800)
	steady := b.start(t)
	for round := range 3 {
		b.confirmSpread(t, all[600*round:600*round+300])
		guest := b.start(t)
		eventually(t, func() bool { return guest.partitions() > 0 }, "the guest gets no partition")
		b.confirmSpread(t, all[600*round+300:600*round+600])
		guest.halt(t)
	}
	for partition := range int32(6) {
		b.requireCommitted(t, partition, 300)
	}
	steady.halt(t)
	b.requireOnce(t, all)
	require.Len(t, b.outcomes(t), len(all))
}

// confirmSpread produces orders over six partitions.
func (b *bundle) confirmSpread(t *testing.T, ids []string) {
	t.Helper()
	for i, id := range ids {
		b.confirmLater(int32(i%6), order(id))
	}
	b.confirmAll(t)
}

// Kafka takes the partitions away and does not let us back in: there is as much work as there was, and nobody does it.
// What the partitions waited for is over with them.
func TestLostPartitionsKeepTheirLagAndTurnUnreadyOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		sending, answer := b.cj.hold()
		b.confirm(t, 0, b.pastOrders(3)...)
		r := b.start(t)
		for range 3 {
			<-sending
		}
		time.Sleep(sampleEvery)
		require.EqualValues(t, 3, r.Lag().Work)
		require.NoError(t, r.check(t, "group"))
		r.stop(r.life(0), errAway)
		require.Error(t, r.check(t, "offsets"))
		back := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: b.config.Group, Err: kerr.CoordinatorLoadInProgress, Count: -1})
		b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, Group: b.config.Group, Err: kerr.UnknownMemberID, Count: 1})
		time.Sleep(10 * time.Second)
		require.Equal(t, 1, b.log.count("partitions lost"))
		require.Zero(t, r.partitions())
		require.EqualValues(t, 3, r.Lag().Work)
		require.ErrorContains(t, r.check(t, "group"), "not a member of group")
		require.NoError(t, r.check(t, "offsets"))
		require.Empty(t, r.pausedFor())
		back.Remove()
		close(answer)
		b.requireCommitted(t, 0, 3)
		time.Sleep(2 * sampleEvery)
		require.Equal(t, Lag{}, r.Lag())
		require.NoError(t, r.check(t, "group"))
		r.halt(t)
		require.ErrorContains(t, r.check(t, "group"), "not a member of group", "it has left")
	})
}

func TestGroupHearsOfItsTimeoutsOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.readClicks(t)
	joins := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: b.config.Group, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
		join := r.(*kmsg.JoinGroupRequest)
		return join.SessionTimeoutMillis == 10_000 && join.RebalanceTimeoutMillis == 30_000
	}})
	r := b.start(t)
	eventually(t, func() bool { return r.partitions() == 1 }, "no assignment")
	require.Positive(t, joins.Hits())
}

// How much work new partitions hold is known at once, not with the next sample.
func TestLagOfNewPartitionsIsKnownAtOnceOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.cj.hold()
		b.confirm(t, 0, b.pastOrders(3)...)
		r := b.start(t)
		for r.partitions() == 0 {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(sampleEvery / 10)
		r.mu.Lock()
		require.EqualValues(t, 3, r.ends[0])
		r.mu.Unlock()
	})
}
