package consumer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

func TestTrial(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	// Each failure comes so long after the first, when CJ has taken so many others.
	fail := func(failures int, every time.Duration, taken func(n int) int64) (failed bool) {
		var tried trial
		for n := range failures {
			tried.note(taken(n))
			failed = tried.failed(begin.Add(time.Duration(n) * every))
		}
		return failed
	}
	flowing := func(n int) int64 { return int64(n) }
	standing := func(int) int64 { return 7 }
	require.True(t, fail(20, 32*time.Second, flowing))
	require.False(t, fail(19, time.Hour, flowing), "too few failures")
	require.False(t, fail(20, 31*time.Second, flowing), "19 times 31 seconds are less than ten minutes")
	require.True(t, fail(100, 7*time.Second, flowing))
	require.False(t, fail(1000, time.Minute, standing), "CJ takes nobody: it is not the order")
	require.False(t, fail(1000, time.Minute, func(n int) int64 { return min(int64(n), 500) }), "CJ has ceased to take others")

	var tried trial
	for _, taken := range []int64{3, 3} {
		tried.note(taken)
		require.False(t, tried.alone)
	}
	for _, taken := range []int64{4, 4} {
		tried.note(taken)
		require.True(t, tried.alone, "once CJ took others it is known for good")
	}
}

// waitingAt are orders of one partition that wait, as after a failure.
func waitingAt(l *life, offsets ...int64) map[int64]*passage {
	for _, record := range records(offsets...) {
		record.Timestamp = time.Now().Add(-1000 * time.Hour) // a replayed one
		p := newPassage(l, record, nil)
		l.tracker.admit(record.Offset)
		l.passages[record.Offset] = p
		l.underWay.Add(1)
		l.consumer.bounds.add(size(record))
		p.fails.Store(true)
		p.hands.Store(waiting)
	}
	return l.passages
}

func TestOrdersDoneAboveTheOldestNearTheirBound(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	c.aheadLimit = 10
	all := waitingAt(l, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
	oldest, last := all[0], all[9]
	for offset := range int64(8) {
		require.False(t, oldest.holdsUpOthers(), "%d of ten are done", offset)
		l.complete(all[1+offset], true)
	}
	require.True(t, oldest.holdsUpOthers())
	require.False(t, last.holdsUpOthers(), "it holds up nobody")

	_, l = still(t)
	oldest = waitingAt(l, 0)[0]
	l.noteCommitted(position{metadata: strings.Repeat("x", metadataLimit*nearTenths/10-1)})
	require.False(t, oldest.holdsUpOthers())
	l.noteCommitted(position{metadata: strings.Repeat("x", metadataLimit*nearTenths/10)})
	require.True(t, oldest.holdsUpOthers())
}

// An open circuit parks nothing, and an order that only waits is not to blame.
func TestNothingIsParkedWithoutItsFault(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(t *testing.T, c *Consumer, l *life, oldest *passage){
		"TheOldestOneWhileTheCircuitIsOpen": func(t *testing.T, c *Consumer, l *life, _ *passage) {
			openNow(t, c.config.Breaker)
			l.parkOldest()
		},
		"TheOldestOneThatHasNotFailed": func(_ *testing.T, _ *Consumer, l *life, oldest *passage) {
			oldest.fails.Store(false)
			l.parkOldest()
		},
		"OneThatFailsWhileTheCircuitIsOpen": func(t *testing.T, c *Consumer, _ *life, oldest *passage) {
			openNow(t, c.config.Breaker)
			require.False(t, oldest.parksAfterFailure(errAway))
		},
		"OneWhoseRetentionEndsWhileTheCircuitIsOpen": func(t *testing.T, c *Consumer, l *life, _ *passage) {
			c.retention.known.Store(int64(time.Hour))
			openNow(t, c.config.Breaker)
			l.parkBeforeRetention(time.Now().Add(time.Hour))
		},
		"OneThatTheTopicKeepsForEver": func(_ *testing.T, _ *Consumer, l *life, _ *passage) {
			l.parkBeforeRetention(time.Now().Add(10_000 * time.Hour))
		},
		"AnOldOneThatWasReadNotLongAgo": func(_ *testing.T, c *Consumer, l *life, oldest *passage) {
			c.retention.known.Store(int64(time.Hour))
			l.parkBeforeRetention(oldest.arrived.Add(54*time.Minute - 1))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, l := still(t)
			c.aheadLimit = 2
			all := waitingAt(l, 0, 1, 2)
			oldest := all[0]
			l.complete(all[1], true)
			l.complete(all[2], true)
			require.True(t, l.crowded())
			test(t, c, l, oldest)
			require.Equal(t, waiting, oldest.hands.Load())
		})
	}
}

// openNow makes a circuit open.
func openNow(t *testing.T, gate *breaker.Gate) {
	t.Helper()
	for i := 0; gate.State() == breaker.Closed; i++ {
		permit, err := gate.Acquire(t.Context(), fmt.Sprint("outage-", i))
		require.NoError(t, err)
		permit.Done(breaker.Failed)
	}
}

// failing makes CJ fail the orders whose id begins with "bad".
func (c *cj) failing() {
	c.answers(func(_ context.Context, id string) postback.Answer {
		if strings.HasPrefix(id, "bad") {
			return unavailable
		}
		return acknowledged
	})
}

func TestOrderThatKeepsFailingIsParkedWhileOthersFlowOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.BackoffInitial, b.config.BackoffMax = time.Second, 20*time.Second
		b.cj.failing()
		bad := orderAt("bad", past())
		b.confirm(t, 0, bad)
		r := b.start(t)
		began := time.Now()
		for len(b.Read(t, b.config.DeadLetterTopic)) == 0 {
			require.Less(t, time.Since(began), time.Hour, "never parked")
			b.confirm(t, 0, b.another())
			time.Sleep(5 * time.Second)
			require.NoError(t, r.check(t, "progress"), "an order that fails is not a stall")
		}
		require.GreaterOrEqual(t, time.Since(began), parkAfter)
		letter := b.Read(t, b.config.DeadLetterTopic)[0]
		require.Equal(t, bad, string(letter.Value))
		require.Equal(t, "parked", headersOf(letter)["cjrelay-reason"])
		require.Contains(t, headersOf(letter)["cjrelay-error"], "while CJ took other orders: ")
		outcome := b.outcomes(t)["bad"]
		require.Equal(t, schema.Parked, outcome.Outcome)
		require.Equal(t, schema.ReasonKeepsFailing, outcome.Reason)
		require.GreaterOrEqual(t, outcome.Attempts, parkAttempts)
		ends, err := b.Admin.ListEndOffsets(t.Context(), b.config.Topic)
		require.NoError(t, err)
		b.requireCommitted(t, 0, ends[b.config.Topic][0].Offset)
		require.Contains(t, b.log.String(), "order parked in the dead-letter topic")
		r.halt(t)
	})
}

// An outage is no order's fault, however long it lasts and however few orders there are to tell.
func TestNothingIsParkedWhileCJTakesNobodyOnFake(t *testing.T) {
	t.Parallel()
	for name, orders := range map[string]int{"OneOrder": 1, "Many": 60} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setupVirtual(t, 1)
				b.config.BackoffInitial, b.config.BackoffMax = time.Second, 10*time.Second
				b.cj.always(unavailable)
				b.confirm(t, 0, b.pastOrders(orders)...)
				r := b.start(t)
				time.Sleep(4 * parkAfter)
				require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
				require.EqualValues(t, 0, b.committed(t, 0))
				b.cj.always(acknowledged)
				b.requireCommitted(t, 0, int64(orders))
				require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
				r.halt(t)
			})
		})
	}
}

// Set-up trouble is ours or CJ's, and ends some day: it must not cost an order its place.
func TestSetupTroubleParksNothingOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.BackoffInitial, b.config.BackoffMax = time.Second, 10*time.Second
		b.cj.answers(func(_ context.Context, id string) postback.Answer {
			if strings.HasPrefix(id, "bad") {
				return wrongSetup
			}
			return acknowledged
		})
		b.confirm(t, 0, orderAt("bad", past()))
		r := b.start(t)
		for range 360 {
			b.confirm(t, 0, b.another())
			time.Sleep(5 * time.Second)
		}
		require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
		b.cj.always(acknowledged)
		b.requireCommitted(t, 0, 361)
		r.halt(t)
	})
}

// The oldest order gives way when too much is done after it, long before its time is up.
func TestOldestOrderIsParkedWhenTheBoundNears(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.BackoffInitial, b.config.BackoffMax = 5*time.Millisecond, 20*time.Millisecond
	b.cj.failing()
	b.confirm(t, 0, order("bad-1"), order("good"), order("bad-2"))
	r := b.startWith(t, func(c *Consumer) { c.aheadLimit = 100 })
	b.confirm(t, 0, orders(ids(300)...)...)
	b.requireCommitted(t, 0, 303)
	for _, id := range []string{"bad-1", "bad-2"} {
		require.Equal(t, schema.Parked, b.outcomes(t)[id].Outcome, id)
		require.Equal(t, schema.ReasonHoldsUpOthers, b.outcomes(t)[id].Reason, id)
	}
	require.Len(t, b.Read(t, b.config.DeadLetterTopic), 2)
	require.Empty(t, r.pausedFor())
}

// An order that waits for something else than CJ is not to blame for what is done after it: reading stops there.
func TestReadingStopsAtTheBoundBehindAnOrderThatOnlyWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	decode := b.config.Decode
	var away = make(chan struct{})
	b.config.Decode = func(ctx context.Context, value []byte) (*schema.Order, error) {
		if strings.Contains(string(value), "unknown-schema") {
			select {
			case <-away:
			default:
				return nil, schema.ErrUnavailable
			}
		}
		return decode(ctx, value)
	}
	b.confirm(t, 0, order("unknown-schema"))
	for batch := range 10 {
		b.confirm(t, 0, orders(idsFrom(batch*50, 50)...)...)
	}
	r := b.startWith(t, func(c *Consumer) { c.aheadLimit = 100 })
	// What one fetch brought is taken in whole; the pause for the registry stops the rest at the latest.
	eventually(t, func() bool { return b.cj.total() > 0 && r.pausedFor()[PauseRegistry] }, "no pause")
	require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
	close(away)
	b.requireCommitted(t, 0, 501)
	require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
}

// What the topic is about to delete must be somewhere else before that.
func TestOrdersArePreservedBeforeRetentionTakesThemOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.BackoffInitial, b.config.BackoffMax = time.Second, 20*time.Second
		hour := "3600000"
		_, err := b.Admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &hour}}, b.config.Topic)
		require.NoError(t, err)
		b.registry.fail(schema.ErrUnavailable)
		b.confirm(t, 0, b.pastOrders(3)...)
		r := b.start(t)
		time.Sleep(53 * time.Minute)
		require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
		time.Sleep(2 * time.Minute)
		require.Len(t, b.Read(t, b.config.DeadLetterTopic), 3)
		b.requireCommitted(t, 0, 3)
		for _, letter := range b.Read(t, b.config.DeadLetterTopic) {
			require.Equal(t, "parked", headersOf(letter)["cjrelay-reason"])
			require.Contains(t, headersOf(letter)["cjrelay-error"], "the topic keeps orders for 1h0m0s")
		}
		b.registry.fail(nil)
		b.confirm(t, 0, b.another())
		b.requireCommitted(t, 0, 4)
		require.Empty(t, r.pausedFor())
		r.halt(t)
	})
}

func idsFrom(first, n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprint("ORD-", first+i)
	}
	return ids
}

// Only what may be an order's own fault makes it one that holds up others. Its rejection is for the mass rule, and a
// wrong set-up nobody's but ours.
func TestOrderFailsWhereCJFailsIt(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before bool
		answer postback.Answer
		fails  bool
	}{
		"Unavailable":          {false, unavailable, true},
		"WrongSetup":           {false, wrongSetup, false},
		"WrongSetupAfterwards": {true, wrongSetup, false},
		"RejectedAfterwards":   {true, rejected, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, l := still(t)
			c.rules[stageCJ] = newMass(stageCJ, massConfig{window: 20, wait: time.Hour, pace: time.Hour})
			t.Cleanup(c.rules[stageCJ].stop)
			sender := newCJ()
			sender.always(test.answer)
			c.config.Sender = sender
			p := waitingAt(l, 0)[0]
			p.fails.Store(test.before)
			require.True(t, p.claim())
			p.attempt()
			require.Equal(t, test.fails, p.fails.Load())
		})
	}
}
