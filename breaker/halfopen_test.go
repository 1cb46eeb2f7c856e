package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestHalfOpenCircuit(t *testing.T) {
	t.Parallel()
	t.Run("AdmitsExactlyItsProbes", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := opened(t, breaker.Config{})
			require.Equal(t, 3, gate.Probes())
			var waiting []*request
			for _, order := range orders("order", 64) {
				waiting = append(waiting, ask(t.Context(), gate, order))
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, 3, admitted(waiting))
			waiting[0].permit.Done(breaker.Succeeded)
			synctest.Wait()
			require.Equal(t, 3, admitted(waiting), "a success makes no room for a fourth probe")
			end(waiting)
		})
	})
	t.Run("ClosesWhenAllProbesSucceed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			answer(t, gate, breaker.Succeeded, "a", "b")
			require.Equal(t, breaker.HalfOpen, gate.State())
			time.Sleep(time.Hour)
			require.Equal(t, breaker.HalfOpen, gate.State(), "it waits for the last probe")
			answer(t, gate, breaker.Succeeded, "c")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("ReopensAtOneFailure", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			time.Sleep(time.Minute)
			answer(t, gate, breaker.Succeeded, "a", "b")
			answer(t, gate, breaker.Failed, "c")
			require.Equal(t, breaker.Open, gate.State())
			refuse(t, gate, "d")
			time.Sleep(10 * time.Second)
			require.Equal(t, breaker.Open, gate.State(), "its time starts anew")
			time.Sleep(time.Nanosecond)
			require.Equal(t, breaker.HalfOpen, gate.State())
			answer(t, gate, breaker.Succeeded, "a", "b")
			require.Equal(t, breaker.HalfOpen, gate.State(), "the successes of the first time are gone")
		})
	})
	t.Run("ReopensForAnOrderThatFailedInTheOutage", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			answer(t, gate, breaker.Failed, "outage-0")
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("ClosesOnOrdersThatFailedInTheOutage", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			answer(t, gate, breaker.Succeeded, "outage-0", "outage-1", "outage-2")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("CountsAnOrderOnceHoweverOftenItSucceeds", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			answer(t, gate, breaker.Succeeded, "rejected", "rejected", "rejected", "rejected")
			require.Equal(t, breaker.HalfOpen, gate.State(), "one order closed it")
			answer(t, gate, breaker.Succeeded, "a", "rejected", "b")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("CountsTheOrderAnewInTheNextRound", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{Probes: 2})
			answer(t, gate, breaker.Succeeded, "a")
			answer(t, gate, breaker.Failed, "b")
			time.Sleep(10*time.Second + time.Nanosecond)
			answer(t, gate, breaker.Succeeded, "a", "c")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("IsNotReopenedByAnOrderThatFailsAlone", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			answer(t, gate, breaker.Succeeded, "a")
			for range 100 {
				answer(t, gate, breaker.FailedAlone, "poison")
			}
			require.Equal(t, breaker.HalfOpen, gate.State())
			answer(t, gate, breaker.Succeeded, "b")
			require.Equal(t, breaker.HalfOpen, gate.State(), "nor does it count as a success")
			answer(t, gate, breaker.Succeeded, "c")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("ACancelledProbeFreesItsPlace", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			for range 100 {
				var probes []*request
				for _, order := range orders("revoked", 3) {
					probes = append(probes, ask(t.Context(), gate, order))
				}
				require.Equal(t, 3, admitted(probes))
				next := ask(t.Context(), gate, "next")
				require.False(t, next.admitted())
				probes[0].permit.Done(breaker.Cancelled)
				synctest.Wait()
				require.True(t, next.admitted(), "who waits takes it at once")
				end(append(probes, next))
			}
			require.Equal(t, breaker.HalfOpen, gate.State())
			answer(t, gate, breaker.Succeeded, "a", "b", "c")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("ProbesOneByOneWhereThereIsOneWorker", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{Concurrency: 1})
			answer(t, gate, breaker.Succeeded, "a", "b", "c")
			require.Equal(t, breaker.Closed, gate.State())
			answer(t, gate, breaker.Succeeded, "d")
		})
	})
	t.Run("WaitsForAHoldToEnd", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := opened(t, breaker.Config{})
			gate.Hold(15 * time.Second)
			probe := ask(t.Context(), gate, "probe")
			time.Sleep(15*time.Second - time.Nanosecond)
			synctest.Wait()
			require.Equal(t, breaker.HalfOpen, gate.State())
			require.False(t, probe.admitted())
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			require.True(t, probe.admitted())
			end([]*request{probe})
		})
	})
}

// In a closed circuit all failing orders count alike: an outage may begin while every order at hand has failed before.
func TestOrdersThatFailAloneOpenTheCircuitTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		gate := breaker.New(breaker.Config{MinSamples: never})
		answer(t, gate, breaker.FailedAlone, orders("a", 19)...)
		require.Equal(t, breaker.Closed, gate.State())
		answer(t, gate, breaker.FailedAlone, "last")
		require.Equal(t, breaker.Open, gate.State())
		time.Sleep(time.Until(gate.OpenUntil()) - 1)
		require.Equal(t, breaker.Open, gate.State())
		time.Sleep(time.Nanosecond)
		require.Equal(t, breaker.HalfOpen, gate.State())
	})
}

// What an attempt of before the outage says is out of date, and must not colour what comes after.
func TestAnswersOfAnOlderGenerationDoNotCount(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		result breaker.Result
		check  func(t *testing.T, gate *breaker.Gate)
	}{
		"LateFailuresAreNoPartOfAStreak": {breaker.Failed, func(t *testing.T, gate *breaker.Gate) {
			answer(t, gate, breaker.Failed, "new")
			require.Equal(t, breaker.Closed, gate.State(), "one failure opened it")
			answer(t, gate, breaker.Failed, orders("new", 18)...)
			require.Equal(t, breaker.Closed, gate.State())
		}},
		"LateFailuresDoNotHideLaterOnesOfTheSameOrders": {breaker.Failed, func(t *testing.T, gate *breaker.Gate) {
			answer(t, gate, breaker.Failed, orders("before", 20)...)
			require.Equal(t, breaker.Open, gate.State())
		}},
		"LateSuccessesDoNotEndTheRamp": {breaker.Succeeded, func(t *testing.T, gate *breaker.Gate) {
			for _, order := range orders("new", 3) {
				defer take(t, gate, order).Done(breaker.Cancelled)
			}
			refuse(t, gate, "fourth")
		}},
		"LateCancellationsFreeTheirPlaces": {breaker.Cancelled, func(t *testing.T, gate *breaker.Gate) {
			for _, order := range orders("new", 3) {
				defer take(t, gate, order).Done(breaker.Cancelled)
			}
			refuse(t, gate, "fourth")
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := breaker.New(breaker.Config{Concurrency: 100, MinSamples: never})
				var before []*breaker.Permit
				for _, order := range orders("before", 40) {
					before = append(before, take(t, gate, order))
				}
				answer(t, gate, breaker.Failed, orders("outage", 20)...)
				time.Sleep(10*time.Second + time.Nanosecond)
				answer(t, gate, breaker.Succeeded, orders("probe", 3)...)
				require.Equal(t, breaker.Closed, gate.State())
				for _, permit := range before {
					permit.Done(test.result)
				}
				require.Equal(t, breaker.Closed, gate.State())
				test.check(t, gate)
			})
		})
	}
	t.Run("ALateFailureDoesNotHideTheFailureOfAProbe", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			before := take(t, gate, "order")
			answer(t, gate, breaker.Failed, orders("outage", 20)...)
			time.Sleep(10*time.Second + time.Nanosecond)
			require.Equal(t, breaker.HalfOpen, gate.State())
			before.Done(breaker.Failed)
			require.Equal(t, breaker.HalfOpen, gate.State(), "it is no probe")
			answer(t, gate, breaker.Failed, "order")
			require.Equal(t, breaker.Open, gate.State())
		})
	})
}

// admitted is how many of the requests got a permit.
func admitted(requests []*request) int {
	n := 0
	for _, r := range requests {
		if r.admitted() {
			n++
		}
	}
	return n
}

// end gives up all requests and returns the permits of those that have one.
func end(requests []*request) {
	for _, r := range requests {
		r.cancel()
	}
	for _, r := range requests {
		if <-r.answered; r.err == nil {
			r.permit.Done(breaker.Cancelled)
		}
	}
}
