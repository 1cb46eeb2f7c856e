package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestOpenCircuit(t *testing.T) {
	t.Parallel()
	t.Run("GivesNoPermitUntilItsTimeHasPassed", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := opened(t, breaker.Config{})
			r := ask(t.Context(), gate, "early")
			time.Sleep(10 * time.Second)
			synctest.Wait()
			require.False(t, r.admitted(), "at the very end of the time")
			refuse(t, gate, "late")
			require.Equal(t, breaker.Open, gate.State())

			time.Sleep(time.Nanosecond)
			synctest.Wait()
			require.True(t, r.admitted(), "waiters start by themselves")
			require.Equal(t, breaker.HalfOpen, gate.State())
			r.permit.Done(breaker.Cancelled)
		})
	})
	t.Run("WakesThoseWhoWatchIt", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			changed := gate.Changed()
			answer(t, gate, breaker.Failed, orders("a", 19)...)
			require.False(t, closed(changed), "nothing has changed yet")
			answer(t, gate, breaker.Failed, "last")
			require.True(t, closed(changed), "it opened")

			changed = gate.Changed()
			time.Sleep(10 * time.Second)
			require.False(t, closed(changed))
			time.Sleep(time.Nanosecond)
			require.True(t, closed(changed), "it is half-open, though nobody asked")

			changed = gate.Changed()
			answer(t, gate, breaker.Succeeded, orders("probe", 3)...)
			require.True(t, closed(changed), "it closed")
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("TakesNoNoticeOfWhatStartedBefore", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			before := make([]*breaker.Permit, 64)
			for i, order := range orders("before", 64) {
				before[i] = take(t, gate, order)
			}
			for _, permit := range before[:20] {
				permit.Done(breaker.Failed)
			}
			require.Equal(t, breaker.Open, gate.State())
			time.Sleep(5 * time.Second)
			before[20].Done(breaker.Succeeded)
			before[21].Done(breaker.Failed)
			require.Equal(t, breaker.Open, gate.State())
			time.Sleep(5 * time.Second)
			require.Equal(t, breaker.Open, gate.State(), "a late success does not shorten it")
			time.Sleep(time.Nanosecond)
			require.Equal(t, breaker.HalfOpen, gate.State(), "a late failure does not lengthen it")
			for _, permit := range before[22:] {
				permit.Done(breaker.Cancelled)
			}
		})
	})
}

func TestStateHasAName(t *testing.T) {
	t.Parallel()
	require.Equal(t, "closed", breaker.Closed.String())
	require.Equal(t, "half-open", breaker.HalfOpen.String())
	require.Equal(t, "open", breaker.Open.String())
	require.Equal(t, "State(7)", breaker.State(7).String())
	require.Equal(t, []int{0, 1, 2}, []int{int(breaker.Closed), int(breaker.HalfOpen), int(breaker.Open)}, "the values of the metric")
}
