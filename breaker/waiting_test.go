package breaker_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T) *breaker.Gate{
		"ForAPlace": func(t *testing.T) *breaker.Gate {
			gate := breaker.New(breaker.Config{Concurrency: 3})
			for _, order := range orders("busy", 3) {
				permit := take(t, gate, order)
				time.AfterFunc(time.Second, func() { permit.Done(breaker.Succeeded) })
			}
			return gate
		},
		"ForAProbeAndTheRamp": func(t *testing.T) *breaker.Gate { return opened(t, breaker.Config{Concurrency: 10}) },
		"AfterAHold": func(*testing.T) *breaker.Gate {
			gate := breaker.New(breaker.Config{Concurrency: 10})
			gate.Hold(time.Second)
			return gate
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := prepare(t)
				var waiting []*request
				for _, order := range orders("order", 50) {
					r := ask(t.Context(), gate, order)
					require.False(t, r.admitted())
					waiting = append(waiting, r)
				}
				waiting[7].cancel()
				synctest.Wait()
				waiting = append(waiting[:7], waiting[8:]...)
				for i, r := range waiting {
					synctest.Wait() // whoever the last Done admitted has its permit now
					for !r.admitted() {
						require.Zero(t, admitted(waiting[i:]), "somebody overtook number %d", i)
						time.Sleep(time.Millisecond)
						synctest.Wait()
					}
					r.permit.Done(breaker.Succeeded)
				}
			})
		})
	}
}

func TestAcquireHonoursItsContext(t *testing.T) {
	t.Parallel()
	held := func(gate *breaker.Gate) *breaker.Gate {
		gate.Hold(time.Hour)
		return gate
	}
	tests := map[string]func(t *testing.T) *breaker.Gate{
		"WaitingForAPlace": func(t *testing.T) *breaker.Gate {
			gate := breaker.New(breaker.Config{Concurrency: 1})
			take(t, gate, "busy")
			return gate
		},
		"WaitingForAnOpenCircuit": func(t *testing.T) *breaker.Gate { return opened(t, breaker.Config{Open: time.Hour}) },
		"WaitingForAProbe": func(t *testing.T) *breaker.Gate {
			gate := halfOpened(t, breaker.Config{Probes: 1})
			take(t, gate, "probe")
			return gate
		},
		"WaitingForTheRamp": func(t *testing.T) *breaker.Gate {
			gate := halfOpened(t, breaker.Config{Probes: 1})
			answer(t, gate, breaker.Succeeded, "probe")
			take(t, gate, "busy")
			return gate
		},
		"WaitingForAHold":                func(*testing.T) *breaker.Gate { return held(breaker.New(breaker.Config{})) },
		"WaitingForAHoldOfAnOpenCircuit": func(t *testing.T) *breaker.Gate { return held(opened(t, breaker.Config{})) },
		"WaitingForAHoldOfAHalfOpenOne":  func(t *testing.T) *breaker.Gate { return held(halfOpened(t, breaker.Config{})) },
		"WaitingBehindOthersInAHalfOpenOne": func(t *testing.T) *breaker.Gate {
			gate := halfOpened(t, breaker.Config{Probes: 1, Concurrency: 2})
			take(t, gate, "probe")
			for _, order := range orders("ahead", 3) {
				go func() { _, _ = gate.Acquire(t.Context(), order) }()
			}
			synctest.Wait()
			return gate
		},
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := prepare(t)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				permit, err := gate.Acquire(ctx, "order")
				require.ErrorIs(t, err, context.DeadlineExceeded)
				require.Nil(t, permit)
				require.Equal(t, time.Second, time.Since(start))
			})
		})
	}
	t.Run("OverBeforeItBegan", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Concurrency: 1})
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := gate.Acquire(ctx, "order")
			require.ErrorIs(t, err, context.Canceled)
			requireCapacity(t, gate, 1)
		})
	})
}

func TestDoneCountsOnce(t *testing.T) {
	t.Parallel()
	t.Run("FreesOnePlace", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Concurrency: 2})
			first, second := take(t, gate, "a"), take(t, gate, "b")
			var group sync.WaitGroup
			for range 10 {
				group.Go(func() { first.Done(breaker.Succeeded) })
			}
			group.Wait()
			third := take(t, gate, "c")
			refuse(t, gate, "d")
			second.Done(breaker.Succeeded)
			third.Done(breaker.Succeeded)
			requireCapacity(t, gate, 2)
		})
	})
	t.Run("TheFirstResultHolds", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{Probes: 1})
			probe := take(t, gate, "probe")
			probe.Done(breaker.Failed)
			probe.Done(breaker.Succeeded)
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("ADeferredCancelChangesNothing", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{Probes: 2})
			probe := take(t, gate, "probe")
			probe.Done(breaker.Succeeded)
			probe.Done(breaker.Cancelled)
			probe.Done(breaker.Succeeded)
			require.Equal(t, breaker.HalfOpen, gate.State(), "one probe is missing")
			answer(t, gate, breaker.Succeeded, "other")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
}

// late is a context that ends in the moment in which Acquire begins to wait for it, and makes a permit free
// just before.
type late struct {
	context.Context
	free  func()
	ended bool
}

func (l *late) Done() <-chan struct{} {
	l.free()
	l.ended = true
	done := make(chan struct{})
	close(done)
	return done
}

func (l *late) Err() error {
	if l.ended {
		return context.Canceled
	}
	return nil
}

// A permit may come to a waiter in the moment in which it gives up. It must not be lost.
func TestNoPlaceIsLostWhenAWaiterGivesUp(t *testing.T) {
	tests := map[string]func(t *testing.T) (gate *breaker.Gate, capacity int){
		"InAClosedCircuit": func(*testing.T) (*breaker.Gate, int) { return breaker.New(breaker.Config{Concurrency: 1}), 1 },
		"InAHalfOpenOne":   func(t *testing.T) (*breaker.Gate, int) { return halfOpened(t, breaker.Config{Probes: 2}), 2 },
	}
	for name, prepare := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate, capacity := prepare(t)
				// Whoever gives up may still take the permit, by chance: half of them do.
				gaveUp := 0
				for range 100 {
					busy := make([]*breaker.Permit, capacity)
					for i := range busy {
						busy[i] = take(t, gate, "busy")
					}
					permit, err := gate.Acquire(&late{Context: t.Context(), free: func() { busy[0].Done(breaker.Cancelled) }}, "order")
					if err != nil {
						require.ErrorIs(t, err, context.Canceled)
						gaveUp++
					} else {
						permit.Done(breaker.Cancelled)
					}
					for _, permit := range busy[1:] {
						permit.Done(breaker.Cancelled)
					}
					requireCapacity(t, gate, capacity)
				}
				require.Positive(t, gaveUp)
			})
		})
	}
}

// When a hold or the open time ends, somebody new may ask before the timer lets those in who wait.
func TestNobodyOvertakesThoseWhoWaitedForATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for i := range 200 {
			gate := breaker.New(breaker.Config{Concurrency: 1})
			var newcomer *breaker.Permit
			come := func() { newcomer, _ = gate.Acquire(t.Context(), "newcomer") }
			if i%2 == 0 {
				time.AfterFunc(time.Second, come)
			}
			gate.Hold(time.Second)
			if i%2 == 1 {
				time.AfterFunc(time.Second, come)
			}
			first := ask(t.Context(), gate, "first")
			time.Sleep(time.Second)
			synctest.Wait()
			require.True(t, first.admitted(), "overtaken")
			first.permit.Done(breaker.Succeeded)
			synctest.Wait()
			newcomer.Done(breaker.Succeeded)
		}
	})
}

// Many workers at once, with every kind of answer, hold and cancellation, while the remote side comes and
// goes. It is the test that the race detector is for.
func TestManyWorkersAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const concurrency = 8
		gate := breaker.New(breaker.Config{Concurrency: concurrency, Open: time.Second, ConsecutiveOrders: 5, Window: 4 * time.Second})
		var inFlight, attempts atomic.Int64
		var workers sync.WaitGroup
		for worker := range 32 {
			workers.Go(func() {
				luck := rand.New(rand.NewPCG(uint64(worker), 1))
				for i := range 300 {
					ctx, cancel := context.WithCancel(t.Context())
					if luck.IntN(3) == 0 {
						ctx, cancel = context.WithTimeout(ctx, time.Duration(luck.IntN(50))*time.Millisecond)
					}
					permit, err := gate.Acquire(ctx, fmt.Sprintf("order-%d-%d", worker, i))
					if err == nil {
						if now := inFlight.Add(1); now > concurrency {
							t.Errorf("%d in flight", now)
						}
						attempts.Add(1)
						if pause := luck.IntN(4); pause > 0 {
							time.Sleep(time.Duration(pause) * time.Millisecond)
						}
						inFlight.Add(-1)
						permit.Done(breaker.Result(luck.IntN(3)))
					}
					cancel()
					switch luck.IntN(200) {
					case 0:
						gate.Hold(time.Duration(luck.IntN(1000)) * time.Millisecond)
					case 1:
						gate.State()
						gate.Held()
						gate.Changed()
					}
				}
			})
		}
		workers.Wait()
		require.Positive(t, attempts.Load())
		heal(t, gate, 3*concurrency)
		requireCapacity(t, gate, concurrency)
	})
}

// heal waits until the circuit lets n orders through, which all succeed.
func heal(t *testing.T, gate *breaker.Gate, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, order := range orders("heal", n) {
		permit, err := gate.Acquire(ctx, order)
		require.NoError(t, err)
		permit.Done(breaker.Succeeded)
	}
	require.Equal(t, breaker.Closed, gate.State())
}
