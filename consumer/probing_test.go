package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// openBreaker has twenty orders of somebody else fail.
func (b *bundle) openBreaker(t *testing.T) {
	t.Helper()
	for i := range 20 {
		permit, err := b.config.Breaker.Acquire(t.Context(), fmt.Sprint("before-", i))
		require.NoError(t, err)
		permit.Done(breaker.Failed)
	}
	require.Equal(t, breaker.Open, b.config.Breaker.State())
}

// opened is a shop with a CJ that was down until now.
func opened(t *testing.T, partitions int32, config breaker.Config) *bundle {
	t.Helper()
	b := setupVirtual(t, partitions)
	config.Concurrency = 8
	b.config.Breaker = breaker.New(config)
	b.config.BackoffInitial, b.config.BackoffMax = time.Second, 20*time.Second
	b.openBreaker(t)
	return b
}

// requireTaken waits until CJ has acknowledged so many orders, for no longer than that.
func (r *running) requireTaken(t *testing.T, n int64, within time.Duration) {
	t.Helper()
	began := time.Now()
	for r.taken.Load() < n {
		require.Less(t, time.Since(began), within, "CJ has acknowledged %d of %d orders", r.taken.Load(), n)
		time.Sleep(time.Second)
	}
}

// Orders that cannot be sent for a long time are no probes, however many of them are at hand.
func TestHalfOpenCircuitReadsOnPastOrdersThatCannotBeSentOnFake(t *testing.T) {
	t.Parallel()
	for name, waiting := range map[string]func(b *bundle) string{
		"ConfirmedInTheFuture": func(*bundle) string { return orderAt("bad", time.Now().Add(14*time.Minute)) },
		"WaitingForTheRegistry": func(b *bundle) string {
			decode := b.config.Decode
			b.config.Decode = func(ctx context.Context, value []byte) (*schema.Order, error) {
				if string(value) == "new schema" {
					return nil, schema.ErrUnavailable
				}
				return decode(ctx, value)
			}
			return "new schema"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := opened(t, 2, breaker.Config{})
				b.confirm(t, 0, slices.Repeat([]string{waiting(b)}, 5)...)
				r := b.start(t)
				// Those that wait are at hand before there are others.
				eventually(t, func() bool { return r.bounds.orders() >= 3 }, "nothing is read")
				b.confirm(t, 1, b.pastOrders(50)...)
				r.requireTaken(t, 50, time.Minute)
				require.Equal(t, breaker.Closed, b.config.Breaker.State())
				r.halt(t)
			})
		})
	}
	t.Run("InABackoff", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			b := setupVirtual(t, 1)
			b.config.BackoffInitial, b.config.BackoffMax = time.Hour, time.Hour
			b.cj.always(unavailable)
			b.confirm(t, 0, b.pastOrders(5)...)
			r := b.start(t)
			eventually(t, func() bool { return b.cj.total() >= 5 }, "nothing is sent")
			synctest.Wait()
			b.openBreaker(t)
			b.cj.failing()
			for i := range 20 {
				b.confirm(t, 0, orderAt(fmt.Sprint("NEW-", i), past()))
			}
			r.requireTaken(t, 20, time.Minute)
			r.halt(t)
		})
	})
}

// Orders that CJ always fails are all that is at hand when the circuit turns half-open, and good ones stand behind
// them in the topic. The former may cost their rounds, but not for ever, and they get no outcome that is CJ's fault.
func TestOrdersThatAlwaysFailDoNotKeepTheCircuitOpenOnFake(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		bad, probes int
		answer      postback.Answer
	}{
		"OneOrder":                  {1, 3, unavailable},
		"OneOrderAndOneProbe":       {1, 1, unavailable},
		"AsManyAsProbes":            {3, 3, unavailable},
		"AsManyAsProbesBySetUp":     {3, 3, wrongSetup},
		"ManyMoreThanProbes":        {12, 3, unavailable},
		"ManyMoreThanTheOnlyProbe":  {12, 1, unavailable},
		"MoreThanProbesOfBadSetUps": {4, 1, wrongSetup},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := opened(t, 1, breaker.Config{Probes: test.probes})
				b.cj.answers(func(_ context.Context, id string) postback.Answer {
					if strings.HasPrefix(id, "bad") {
						return test.answer
					}
					return acknowledged
				})
				for i := range test.bad {
					b.confirmLater(0, orderAt(fmt.Sprint("bad-", i), past()))
				}
				b.confirmAll(t)
				b.confirm(t, 0, b.pastOrders(100)...)
				r := b.start(t)
				r.requireTaken(t, 100, time.Duration(test.bad+5)*12*time.Second)
				require.Equal(t, breaker.Closed, b.config.Breaker.State())
				require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
				r.halt(t)
			})
		})
	}
}

// An order that is known to fail alone changes nothing any more, be it the only one for hours.
func TestOrderThatIsKnownToFailAloneDecidesNothingOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.BackoffInitial, b.config.BackoffMax = time.Second, 20*time.Second
		b.cj.failing()
		b.confirm(t, 0, orderAt("bad", past()))
		r := b.start(t)
		for range 4 { // it fails, and others do not
			b.confirm(t, 0, b.another())
			time.Sleep(time.Minute)
		}
		b.openBreaker(t)
		time.Sleep(time.Minute)
		require.Equal(t, breaker.HalfOpen, b.config.Breaker.State(), "it opened the circuit again")
		attempts := b.cj.attemptsOf("bad")
		time.Sleep(time.Minute)
		require.Equal(t, breaker.HalfOpen, b.config.Breaker.State(), "it opened or closed the circuit")
		require.Greater(t, b.cj.attemptsOf("bad"), attempts, "it is tried no more")
		require.Less(t, b.cj.attemptsOf("bad"), attempts+60, "it is tried without a pause")
		for i := range 3 {
			b.confirm(t, 0, b.another())
			r.requireTaken(t, int64(4+i+1), 5*time.Second)
		}
		require.Equal(t, breaker.Closed, b.config.Breaker.State())
		r.halt(t)
	})
}

func TestOneOrderProbesAloneOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, 1, breaker.Config{})
		b.cj.always(unavailable)
		b.confirm(t, 0, orderAt("one", past()))
		r := b.start(t)
		eventually(t, func() bool { return b.cj.total() == 1 }, "it is never tried")
		time.Sleep(110 * time.Second)
		require.InDelta(t, 11, b.cj.total(), 1, "once each time the circuit turns half-open")
		b.cj.always(acknowledged)
		b.requireCommitted(t, 0, 1)
		r.halt(t)
	})
}

// A rejection shows that CJ is there, but the same order's comes again and again.
func TestOneRejectedOrderDoesNotCloseTheCircuitOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, 1, breaker.Config{})
		b.config.MassSamples, b.config.MassWait = 1, time.Hour
		b.cj.always(rejected)
		b.confirm(t, 0, orderAt("one", past()))
		r := b.start(t)
		eventually(t, func() bool { return b.cj.total() > 10 }, "the mass rule does not try it again")
		require.Equal(t, breaker.HalfOpen, b.config.Breaker.State())
		r.halt(t)
	})
}

// Whatever ends an attempt, its permit comes back once.
func TestNoPermitIsLost(t *testing.T) {
	t.Parallel()
	capacity := func(t *testing.T, gate *breaker.Gate) {
		t.Helper()
		for i := range 8 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := gate.Acquire(ctx, fmt.Sprint("capacity-", i))
			cancel()
			require.NoError(t, err, "place %d of 8 is lost", i+1)
		}
	}
	for name, end := range map[string]func(t *testing.T, b *bundle, r *running){
		"Shutdown": func(t *testing.T, _ *bundle, r *running) { r.halt(t) },
		"Revoke": func(_ *testing.T, b *bundle, r *running) {
			r.onRevoked(context.Background(), r.client, map[string][]int32{b.config.Topic: {0}})
		},
		"Loss": func(t *testing.T, b *bundle, r *running) {
			l := r.life(0)
			r.onLost(context.Background(), r.client, map[string][]int32{b.config.Topic: {0}})
			l.underWay.Wait()
		},
	} {
		t.Run(name+"OnFake", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setupVirtual(t, 1)
				sending, _ := b.cj.hold()
				b.confirm(t, 0, b.pastOrders(30)...)
				r := b.start(t)
				for range 8 {
					<-sending
				}
				end(t, b, r)
				synctest.Wait()
				capacity(t, b.config.Breaker)
				r.halt(t)
			})
		})
	}
	t.Run("Panic", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			c, l := still(t)
			c.config.Breaker = breaker.New(breaker.Config{Concurrency: 8})
			sender := newCJ()
			sender.answers(func(context.Context, string) postback.Answer { panic(errors.New("a bug")) })
			c.config.Sender = sender
			p := newPassage(l, records(0)[0], nil)
			require.Panics(t, p.attempt)
			capacity(t, c.config.Breaker)
		})
	})
}

func TestOrdersThatCanBeSentAreCountedUntilTheirAttemptIsOver(t *testing.T) {
	t.Parallel()
	q := newQueue()
	q.put(&passage{})
	q.put(&passage{})
	require.Equal(t, 2, q.ready())
	q.take()
	require.Equal(t, 2, q.ready(), "it is being sent")
	q.done()
	require.Equal(t, 1, q.ready())
}

func TestOrdersThatComeAreCountedForASecondAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var c coming
		late, quick := c.come(3), c.come(2)
		require.Equal(t, 5, c.orders())
		quick()
		require.Equal(t, 3, c.orders())
		time.Sleep(patience)
		synctest.Wait()
		require.Zero(t, c.orders())
		quick()
		late()
		require.Zero(t, c.orders(), "once each")
	})
}

// A half-open circuit reads as many orders as it lacks for its probes: more would stand in its way when it opens again.
func TestHalfOpenCircuitReadsAsManyAsItLacks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, l := undecided(t)
		c.bounds = newBounds(10, 1000)
		c.config.Breaker = breaker.New(breaker.Config{ConsecutiveOrders: 2, Open: time.Second})
		require.Equal(t, 10, c.room(t.Context()))
		openNow(t, c.config.Breaker)
		require.Equal(t, 3, c.room(t.Context()))
		time.Sleep(time.Second + time.Nanosecond)
		require.Equal(t, breaker.HalfOpen, c.config.Breaker.State())
		c.queue.put(&passage{})
		require.Equal(t, 2, c.room(t.Context()))
		l.admit(records(0), nil)
		require.Equal(t, 1, c.room(t.Context()), "what was just read is on its way")
		c.queue.put(&passage{})
		began := time.Now()
		require.Equal(t, 1, c.room(t.Context()), "that one waits for the registry now, and cannot be counted on")
		require.LessOrEqual(t, time.Since(began), 2*time.Second, "it looks once a second")
		c.queue.put(&passage{})
		enough, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.Zero(t, c.room(enough))
	})
}

// Most shops have a moment without orders. The wait for the next one must not bring all that come in an outage at once.
func TestWaitForOrdersThatIsOlderThanTheOutageReadsNoMoreOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.Breaker = breaker.New(breaker.Config{Concurrency: 8, Open: time.Minute})
		b.confirm(t, 0, b.pastOrders(1)...)
		r := b.start(t)
		b.requireCommitted(t, 0, 1)
		synctest.Wait()
		b.openBreaker(t)
		sending, answer := b.cj.hold()
		for range 100 {
			b.confirmLater(0, b.another())
		}
		b.confirmAll(t)
		for range b.config.Breaker.Probes() {
			<-sending
		}
		require.Equal(t, breaker.HalfOpen, b.config.Breaker.State())
		time.Sleep(10 * time.Second)
		require.Equal(t, b.config.Breaker.Probes(), r.bounds.orders())
		close(answer)
		r.requireTaken(t, 101, time.Minute)
		r.halt(t)
	})
}

// What a revoke or a stop cancels says nothing about CJ.
func TestCancelledAttemptsDoNotOpenTheCircuit(t *testing.T) {
	t.Parallel()
	c, l := still(t)
	c.config.Breaker = breaker.New(breaker.Config{ConsecutiveOrders: 2})
	sender := newCJ()
	sender.always(postback.Answer{Class: postback.Cancelled})
	c.config.Sender = sender
	for _, p := range waitingAt(l, 0, 1, 2, 3) {
		require.True(t, p.claim())
		p.attempt()
	}
	require.Equal(t, 4, sender.total())
	require.Equal(t, breaker.Closed, c.config.Breaker.State())
}
