package breaker_test

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestHold(t *testing.T) {
	t.Parallel()
	t.Run("NothingStartsBeforeItsEndAndWaitersStartByThemselves", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			gate.Hold(7 * time.Second)
			require.True(t, gate.Held())
			var waiting []*request
			for _, order := range orders("order", 100) {
				waiting = append(waiting, ask(t.Context(), gate, order))
			}
			time.Sleep(7*time.Second - time.Nanosecond)
			synctest.Wait()
			require.Zero(t, admitted(waiting))
			require.True(t, gate.Held())
			time.Sleep(time.Nanosecond)
			synctest.Wait()
			require.Equal(t, 64, admitted(waiting))
			require.False(t, gate.Held())
			end(waiting)
		})
	})
	t.Run("AShorterOneNeverEndsALongerOne", func(t *testing.T) {
		for name, second := range map[string]time.Duration{"Shorter": 5 * time.Second, "None": 0, "Negative": -time.Hour} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					gate := breaker.New(breaker.Config{})
					start := time.Now()
					gate.Hold(time.Minute)
					gate.Hold(second)
					r := ask(t.Context(), gate, "order")
					<-r.answered
					require.Equal(t, time.Minute, r.at.Sub(start))
					end([]*request{r})
				})
			})
		}
	})
	t.Run("ALongerOneExtends", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			start := time.Now()
			gate.Hold(10 * time.Second)
			r := ask(t.Context(), gate, "order")
			time.Sleep(5 * time.Second)
			gate.Hold(10 * time.Second)
			time.Sleep(6 * time.Second)
			synctest.Wait()
			require.True(t, gate.Held(), "the end of the first is not the end")
			require.False(t, r.admitted())
			<-r.answered
			require.Equal(t, 15*time.Second, r.at.Sub(start))
			end([]*request{r})
		})
	})
	t.Run("NoneAtAllHoldsNothing", func(t *testing.T) {
		for name, d := range map[string]time.Duration{"Zero": 0, "Negative": -time.Hour} {
			t.Run(name, func(t *testing.T) {
				bubble(t, func(t *testing.T) {
					gate := breaker.New(breaker.Config{})
					changed := gate.Changed()
					gate.Hold(d)
					require.False(t, gate.Held())
					require.False(t, closed(changed))
					answer(t, gate, breaker.Succeeded, "order")
				})
			})
		}
	})
	t.Run("TheLongestThereIsHolds", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			gate.Hold(math.MaxInt64)
			time.Sleep(24 * time.Hour)
			require.True(t, gate.Held())
			refuse(t, gate, "order")
		})
	})
	t.Run("WhatIsInFlightGoesOn", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			permit := take(t, gate, "order")
			gate.Hold(time.Minute)
			permit.Done(breaker.Succeeded)
			refuse(t, gate, "next")
		})
	})
	t.Run("WakesThoseWhoWatchIt", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			changed := gate.Changed()
			require.False(t, closed(changed))
			gate.Hold(time.Second)
			require.True(t, closed(changed), "it began")
			changed = gate.Changed()
			require.False(t, closed(changed))
			time.Sleep(time.Second)
			require.True(t, closed(changed), "it ended")
			require.False(t, gate.Held())
		})
	})
}
