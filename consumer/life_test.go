package consumer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// undecided is a consumer with one partition whose orders stay in the decoder until the life stops.
func undecided(t *testing.T) (*Consumer, *life) {
	t.Helper()
	c, l := still(t)
	c.config.Decode = func(ctx context.Context, _ []byte) (*schema.Order, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return c, l
}

func records(offsets ...int64) []*kgo.Record {
	all := make([]*kgo.Record, len(offsets))
	for i, offset := range offsets {
		all[i] = &kgo.Record{Topic: "orders", Offset: offset, Value: []byte("0123456789")}
	}
	return all
}

func TestLifeTakesEachOffsetOnce(t *testing.T) {
	t.Parallel()
	c, l := undecided(t)
	l.admit(records(3, 4, 7), nil)
	l.admit(records(4, 7, 8), nil)
	require.Equal(t, 4, l.standing().Pending)
	require.EqualValues(t, 9, l.standing().Next)
	require.Equal(t, 4, c.bounds.orders())
	l.stop()
	l.underWay.Wait()
	require.Zero(t, c.bounds.orders())
	at, _ := l.committable(false)
	require.EqualValues(t, 3, at.offset, "what was abandoned is for the next owner")
	require.Equal(t, 4, l.standing().Pending)
}

// Headers are as much the producer's as the value is, and are in memory as long.
func TestOrderCountsWithItsKeyAndHeadersInTheBoundOnBytes(t *testing.T) {
	t.Parallel()
	c, l := undecided(t)
	c.bounds = newBounds(1000, 100)
	order := records(0)
	order[0].Key, order[0].Headers = []byte("key"), []kgo.RecordHeader{{Key: "trace", Value: make([]byte, 100)}}
	l.admit(order, nil)
	room, _ := c.bounds.room()
	require.Zero(t, room)
	l.stop()
	l.underWay.Wait()
	require.Zero(t, c.bounds.bytes)
}

func TestLifeThatHasEndedTakesAndCommitsNothing(t *testing.T) {
	t.Parallel()
	c, l := undecided(t)
	l.admit(records(0, 1), nil)
	l.end()
	l.admit(records(2), nil)
	require.EqualValues(t, 2, l.standing().Next)
	l.underWay.Wait()
	// An answer that comes now is about an order that was let go.
	late := newPassage(l, records(0)[0], nil)
	l.underWay.Add(1)
	c.bounds.add(size(late.record))
	l.leave(late, true)
	require.EqualValues(t, 0, l.tracker.watermark(), "a late answer completes nothing")
	_, ok := l.committable(false)
	require.False(t, ok)
}

func TestFullPartitionPausesUntilHalfIsDone(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	b.config.MaxPendingPerPartition, b.config.Concurrency = 10, 2
	_, answer := b.cj.hold()
	b.confirm(t, 0, orders(ids(40)...)...)
	r := b.start(t)
	eventually(t, func() bool { return r.pausedFor()[PauseBackPressure] }, "no back-pressure")
	b.confirm(t, 1, order("other"))
	eventually(t, func() bool { l := r.life(1); return l != nil && l.standing().Pending == 1 }, "another partition's orders wait too")
	close(answer)
	b.requireCommitted(t, 0, 40)
	b.requireCommitted(t, 1, 1)
	eventually(t, func() bool { return len(r.pausedFor()) == 0 }, "still paused: %v", r.pausedFor())
	b.requireOnce(t, ids(40))
}

func TestMemoryIsBoundedByCount(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	b.readClicks(t)
	b.config.MaxPending, b.config.MaxPendingPerPartition, b.config.Concurrency = 20, 20, 4
	sending, answer := b.cj.hold()
	for i := range 300 {
		b.confirmLater(int32(i%3), order(fmt.Sprint("ORD-", i)))
	}
	b.confirmAll(t)
	r := b.start(t)
	for i := range 300 {
		<-sending
		require.LessOrEqual(t, r.bounds.orders(), 20, "after %d", i)
		answer <- struct{}{}
	}
	for partition := range int32(3) {
		b.requireCommitted(t, partition, 100)
	}
}

// A table that is behind pauses fetching after a moment, and says why; orders that need no lookup go on.
func TestStaleTablePausesAndDelaysOnlyLookupsOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.clickDelay = 10 * time.Second
		r := b.start(t)
		eventually(t, func() bool { return r.partitions() == 1 && r.check(t, "clicks") == nil }, "not ready")
		b.Produce(t, &kgo.Record{Topic: b.clicks, Key: []byte("s-1"), Value: []byte(clickID), Timestamp: past().Add(-time.Hour)})
		at := past()
		b.confirm(t, 0,
			fmt.Sprintf(`{"order_id":"lookup","session_id":"s-1","confirmed_at":%q,"currency":"USD","amount":"1"}`, at.UTC().Format(time.RFC3339)),
			orderAt("carried", at))
		eventually(t, func() bool { return len(b.outcomes(t)) == 1 }, "no outcome")
		require.Equal(t, schema.ReasonCarried, b.outcomes(t)["carried"].Reason)
		time.Sleep(2 * patience)
		require.True(t, r.pausedFor()[PauseFreshness])
		require.EqualValues(t, 0, b.committed(t, 0))
		b.requireCommitted(t, 0, 2)
		require.Equal(t, schema.ReasonJoined, b.outcomes(t)["lookup"].Reason)
		synctest.Wait()
		require.Empty(t, r.pausedFor())
		r.halt(t)
	})
}

func TestQueueHandsOutTheOldestFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := newQueue()
		first, second := &passage{}, &passage{}
		q.put(first)
		q.put(second)
		require.Same(t, first, q.take())
		require.Same(t, second, q.take())
		taken := make(chan *passage, 2)
		for range 2 {
			go func() { taken <- q.take() }()
		}
		synctest.Wait()
		require.Empty(t, taken)
		q.close()
		require.Nil(t, <-taken)
		require.Nil(t, <-taken)
	})
}

// A partition pauses as soon as it is full, and not for a while after.
func TestPartitionPausesAtEachOfItsBounds(t *testing.T) {
	t.Parallel()
	paused := func(c *Consumer) bool { return c.pauses.now()[PauseBackPressure] }
	done := func(l *life, offsets ...int64) {
		for _, offset := range offsets {
			l.complete(l.passages[offset], true)
		}
	}
	t.Run("OrdersWithoutAnOutcome", func(t *testing.T) {
		t.Parallel()
		c, l := undecided(t)
		l.admit(records(0, 1, 2, 3, 4, 5, 6, 7, 8), nil)
		require.False(t, paused(c))
		l.admit(records(9), nil)
		require.True(t, paused(c))
		done(l, 0, 1, 2, 3)
		require.True(t, paused(c), "more than half are left")
		done(l, 4)
		require.False(t, paused(c))
	})
	t.Run("OrdersDoneAboveTheOldest", func(t *testing.T) {
		t.Parallel()
		c, l := undecided(t)
		c.config.MaxPendingPerPartition, c.aheadLimit = 100, 4
		l.admit(records(0, 1, 2, 3, 4, 5), nil)
		done(l, 1, 2, 3)
		require.False(t, paused(c))
		done(l, 4)
		require.True(t, paused(c))
		l.rebalance()
		require.True(t, paused(c), "nothing has changed")
		done(l, 0)
		require.False(t, paused(c))
	})
	t.Run("WhatIsSaidOfThemInACommit", func(t *testing.T) {
		t.Parallel()
		c, l := undecided(t)
		l.admit(records(0, 1), nil)
		l.noteCommitted(position{offset: 0, metadata: strings.Repeat("x", metadataLimit*nearTenths/10-1)})
		require.False(t, paused(c))
		l.noteCommitted(position{offset: 0, metadata: strings.Repeat("x", metadataLimit*nearTenths/10)})
		require.True(t, paused(c))
		l.noteCommitted(position{offset: 1})
		require.False(t, paused(c))
	})
	// Nothing but reading on makes it shorter: a partition that waited for that would wait for ever.
	t.Run("NotWhatAnEarlierLifeSaidOfThem", func(t *testing.T) {
		t.Parallel()
		c, l := undecided(t)
		l.begin(position{offset: 0, metadata: strings.Repeat("x", metadataLimit*nearTenths/10)}, spans{{1, 3}})
		l.rebalance()
		require.False(t, paused(c))
		l.admit(records(0, 3), nil)
		require.True(t, paused(c), "what is in hand now makes it shorter")
		done(l, 0, 3)
		require.False(t, paused(c))
	})
	t.Run("NotWhatSomebodyElseSaid", func(t *testing.T) {
		t.Parallel()
		c, l := undecided(t)
		l.begin(position{offset: 0, metadata: strings.Repeat("x", metadataLimit)}, nil)
		l.admit(records(0, 1), nil)
		require.False(t, paused(c))
	})
}

func TestProgressIsAnOutcomeOrACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, l := undecided(t)
		l.admit(records(0, 1), nil)
		born := time.Now()
		time.Sleep(time.Second)
		require.Equal(t, 2, l.standing().Pending)
		require.Equal(t, born, l.standing().Moved)
		l.complete(l.passages[1], true)
		require.Equal(t, time.Now(), l.standing().Moved)
		require.Equal(t, born, l.standing().Advanced, "the oldest one holds the commit")
		time.Sleep(time.Second)
		l.complete(l.passages[0], true)
		time.Sleep(time.Second)
		l.noteCommitted(position{offset: 2})
		require.Equal(t, time.Now(), l.standing().Moved)
		require.Equal(t, time.Now(), l.standing().Advanced)
		time.Sleep(time.Second)
		l.noteCommitted(position{offset: 2, metadata: "another"})
		require.Equal(t, time.Now().Add(-time.Second), l.standing().Advanced)
	})
}

// An answer for an order that was given up comes too late.
func TestOrderThatWasGivenUpIsNotSent(t *testing.T) {
	t.Parallel()
	c, l := undecided(t)
	p := newPassage(l, records(0)[0], nil)
	l.underWay.Add(1)
	c.bounds.add(size(p.record))
	p.abandon()
	p.decided(goes)
	require.Zero(t, c.queue.ready())
}

// Whatever an order ended as, its offset is done only when that is written.
func TestOrderWhoseEndIsNotDurableStaysPending(t *testing.T) {
	t.Parallel()
	for kind, reasons := range schema.Reasons {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c, l := still(t)
			c.config.OutcomesTopic, c.config.DeadLetterTopic = "outcomes", "dlq"
			c.journal = &journal{consumer: c, client: idle(t)} // which reaches no broker
			p := waitingAt(l, 0)[0]
			require.True(t, p.claim())
			p.conclude(kind, reasons[0], errAway)
			require.Equal(t, 1, l.standing().Pending)
			l.kill()
			l.underWay.Wait()
			require.Equal(t, 1, l.standing().Pending)
			at, _ := l.committable(false)
			require.Zero(t, at.offset)
		})
	}
}

func TestTroubleWithReadingIsOverWithTheNextPoll(t *testing.T) {
	t.Parallel()
	c, _ := still(t)
	c.health.group.trouble(errAway)
	require.False(t, c.noteErrors(t.Context(), nil))
	require.NoError(t, c.health.group.current())
}

// What the group has may be ahead of us: an offset that is committed after another one never lies below it.
func TestCommitNeverGoesBack(t *testing.T) {
	t.Parallel()
	_, l := still(t)
	l.begin(position{offset: 10}, nil)
	require.True(t, l.tracker.admit(9))
	_, ok := l.committable(true)
	require.False(t, ok)
	require.True(t, l.tracker.complete(9))
	at, ok := l.committable(true)
	require.True(t, ok)
	require.EqualValues(t, 10, at.offset)
}
