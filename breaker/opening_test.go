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

// never is a limit that no test reaches.
const never = 1_000_000

func TestStreakOfDifferentOrders(t *testing.T) {
	t.Parallel()
	byStreak := breaker.Config{MinSamples: never}
	t.Run("OpensAtTwentyFailingOrders", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(byStreak)
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			require.Equal(t, breaker.Closed, gate.State())
			answer(t, gate, breaker.Failed, "last")
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("NineteenDoNotEvenWhereTheyFailAgain", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(byStreak)
			for range 10 {
				answer(t, gate, breaker.Failed, orders("a", 19)...)
			}
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("ASuccessBetweenStartsAnew", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(byStreak)
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			answer(t, gate, breaker.Succeeded, "good")
			answer(t, gate, breaker.Failed, orders("b", 19)...)
			require.Equal(t, breaker.Closed, gate.State())
			answer(t, gate, breaker.Failed, "last")
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("ASuccessOfAnOrderThatFailedBeforeStartsAnewToo", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(byStreak)
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			answer(t, gate, breaker.Succeeded, "a-3")
			answer(t, gate, breaker.Failed, "last")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("OrdersThatCountedBeforeTheSuccessCountInTheNextStreak", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(byStreak)
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			answer(t, gate, breaker.Succeeded, "good")
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			require.Equal(t, breaker.Closed, gate.State())
			answer(t, gate, breaker.Failed, "last")
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("TheOrderThatCompletesItMayHaveCountedBefore", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(byStreak)
			answer(t, gate, breaker.Failed, "old")
			answer(t, gate, breaker.Succeeded, "good")
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			answer(t, gate, breaker.Failed, "old")
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("ItMayTakeDays", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(byStreak)
			for _, order := range orders("a", 20) {
				time.Sleep(3 * time.Hour)
				answer(t, gate, breaker.Failed, order)
			}
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("CancelledAttemptsAreNoFailures", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			answer(t, gate, breaker.Cancelled, orders("a", 100)...)
			answer(t, gate, breaker.Failed, orders("b", 19)...)
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
}

func TestOneOrderNeverOpensTheCircuit(t *testing.T) {
	t.Parallel()
	for name, among := range map[string]int{"Alone": 0, "AmongSuccesses": 1} {
		for window, config := range map[string]breaker.Config{
			"ByDefault": {},
			// Not a multiple of the buckets: the circuit rounds it up, and remembers longer than Window.
			"WindowOfOddLength": {Window: 10*time.Second + 7, MinSamples: 2},
			"OneSampleIsEnough": {MinSamples: 1, FailureRate: 0.01},
			"OneInARowIsEnough": {MinSamples: never, ConsecutiveOrders: 1},
		} {
			t.Run(name+window, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					gate := breaker.New(config)
					for i := range 1000 {
						answer(t, gate, breaker.Failed, "poison")
						require.Equal(t, breaker.Closed, gate.State(), "after %d failures", i+1)
						answer(t, gate, breaker.Succeeded, orders(fmt.Sprint(i), among)...)
						time.Sleep(97 * time.Millisecond)
					}
				})
			})
		}
	}
}

// However few samples are enough, it takes two orders to open the circuit, and no more.
func TestTheSecondFailingOrderOpensAnImpatientCircuit(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]breaker.Config{"ByRate": {MinSamples: 1, ConsecutiveOrders: never}, "InARow": {MinSamples: never, ConsecutiveOrders: 1}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := breaker.New(config)
				answer(t, gate, breaker.Failed, "a", "a")
				require.Equal(t, breaker.Closed, gate.State())
				answer(t, gate, breaker.Failed, "b")
				require.Equal(t, breaker.Open, gate.State())
			})
		})
	}
	t.Run("ButOneThatFailsAfterASuccessDoesNot", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{MinSamples: 2})
			answer(t, gate, breaker.Succeeded, "good")
			answer(t, gate, breaker.Failed, "bad")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
}

func TestFailureRate(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		succeeded, failed int
		want              breaker.State
	}{
		"HalfOfTheOrdersFailed":         {10, 10, breaker.Open},
		"LessThanHalfFailed":            {11, 10, breaker.Closed},
		"TooFewSamples":                 {0, 19, breaker.Closed},
		"TooFewSamplesWithSuccesses":    {9, 10, breaker.Closed},
		"AsManySamplesAsNeeded":         {0, 20, breaker.Open},
		"ManyMoreSamplesThanAreNeeded":  {500, 500, breaker.Open},
		"ManySuccessesHideManyFailures": {501, 500, breaker.Closed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := breaker.New(breaker.Config{ConsecutiveOrders: never})
				answer(t, gate, breaker.Succeeded, orders("good", test.succeeded)...)
				bad := orders("bad", test.failed)
				answer(t, gate, breaker.Failed, bad[:len(bad)-1]...)
				require.Equal(t, breaker.Closed, gate.State(), "one failure too soon")
				answer(t, gate, breaker.Failed, bad[len(bad)-1])
				require.Equal(t, test.want, gate.State())
			})
		})
	}
	t.Run("AnOrderCountsOnceHoweverOftenItFails", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{ConsecutiveOrders: never})
			answer(t, gate, breaker.Succeeded, orders("good", 11)...)
			for range 100 {
				answer(t, gate, breaker.Failed, orders("bad", 10)...)
			}
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("AttemptsInFlightDoNotDiluteIt", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{ConsecutiveOrders: never})
			for _, order := range orders("slow", 60) {
				defer take(t, gate, order).Done(breaker.Cancelled)
			}
			answer(t, gate, breaker.Failed, orders("bad", 20)...)
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("WhatLeftTheWindowDoesNotCount", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{ConsecutiveOrders: never})
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			time.Sleep(time.Minute)
			answer(t, gate, breaker.Failed, orders("b", 19)...)
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("AnOrderCountsAgainInTheNextWindow", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{ConsecutiveOrders: never})
			answer(t, gate, breaker.Failed, "old")
			time.Sleep(time.Minute)
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			answer(t, gate, breaker.Failed, "old")
			require.Equal(t, breaker.Open, gate.State())
		})
	})
	t.Run("ASuccessCountsInTheNextWindowThoughItsOrderFailedBefore", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{ConsecutiveOrders: never, MinSamples: 3})
			answer(t, gate, breaker.Failed, "a", "b")
			time.Sleep(time.Minute)
			answer(t, gate, breaker.Succeeded, "a", "b", "good")
			answer(t, gate, breaker.Failed, "c", "d")
			require.Equal(t, breaker.Closed, gate.State(), "two of five failed")
		})
	})
	// What failed before leaves the window in its own time, and must not take a later failure with it.
	t.Run("AnOrderThatFailsAgainAfterAnOutageCountsOnce", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{ConsecutiveOrders: 3, MinSamples: 4})
			answer(t, gate, breaker.Succeeded, orders("probe", 3)...)
			require.Equal(t, breaker.Closed, gate.State())
			answer(t, gate, breaker.Failed, "outage-0", "outage-1")
			answer(t, gate, breaker.Succeeded, orders("good", 3)...)
			time.Sleep(50 * time.Second)
			answer(t, gate, breaker.Failed, "outage-0", "outage-1")
			require.Equal(t, breaker.Closed, gate.State(), "two of five failed")
		})
	})
}

// An order is tried until it succeeds, so a rate over all answers could not pass one half however many
// attempts fail: each order would bring its failure and its success.
func TestFailureRateIsNotHiddenByRetriesThatSucceed(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		failing float64
		want    breaker.State
	}{
		"FourOfFiveAttemptsFail": {0.8, breaker.Open},
		"TwoOfThreeAttemptsFail": {0.67, breaker.Open},
		"OneOfFourAttemptsFails": {0.25, breaker.Closed},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := breaker.New(breaker.Config{ConsecutiveOrders: never})
				luck := rand.New(rand.NewPCG(1, 2))
				for i := 0; i < 300 && gate.State() == breaker.Closed; i++ {
					order := fmt.Sprintf("order-%d", i)
					for luck.Float64() < test.failing && gate.State() == breaker.Closed {
						answer(t, gate, breaker.Failed, order)
						time.Sleep(50 * time.Millisecond)
					}
					if gate.State() == breaker.Closed {
						answer(t, gate, breaker.Succeeded, order)
					}
					time.Sleep(100 * time.Millisecond)
				}
				require.Equal(t, test.want, gate.State())
			})
		})
	}
}

// The circuit throws away what it hears of an attempt that started before its window.
func TestSlowFailuresOpen(t *testing.T) {
	t.Parallel()
	const timeout = 15 * time.Second // a quarter of the default window
	tests := map[string]struct {
		config breaker.Config
		after  time.Duration
	}{
		"ByStreakWithFourWorkers":  {breaker.Config{Concurrency: 4, MinSamples: never}, 5 * timeout},
		"ByStreakWithOneWorker":    {breaker.Config{Concurrency: 1, MinSamples: never}, 20 * timeout},
		"ByRateWithAllWorkers":     {breaker.Config{Concurrency: 64, ConsecutiveOrders: never}, timeout},
		"ByRateWithEightWorkers":   {breaker.Config{Concurrency: 8, ConsecutiveOrders: never}, 3 * timeout},
		"ByRateWithHundredWorkers": {breaker.Config{Concurrency: 100, MinSamples: 250, ConsecutiveOrders: never}, 3 * timeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := breaker.New(test.config)
				ctx, cancel := context.WithCancel(t.Context())
				var workers sync.WaitGroup
				var made atomic.Int64
				for range test.config.Concurrency {
					workers.Go(func() {
						for {
							permit, err := gate.Acquire(ctx, fmt.Sprint("order-", made.Add(1)))
							if err != nil {
								return
							}
							time.Sleep(timeout)
							permit.Done(breaker.Failed)
						}
					})
				}
				start := time.Now()
				for gate.State() == breaker.Closed && time.Since(start) < time.Hour {
					time.Sleep(timeout)
					synctest.Wait()
				}
				state, after := gate.State(), time.Since(start)
				cancel()
				workers.Wait()
				require.Equal(t, breaker.Open, state)
				require.Equal(t, test.after, after)
			})
		})
	}
}
