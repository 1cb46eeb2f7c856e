package breaker_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	t.Run("StaysBetweenNothingAndItsBound", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			initial := time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "initial"))
			highest := time.Duration(rapid.Int64Range(1, int64(24*time.Hour)).Draw(t, "highest"))
			waits := breaker.NewBackoff(initial, highest)
			bound := min(initial, highest)
			for n := range 100 {
				wait := waits.Next()
				require.GreaterOrEqual(t, wait, time.Duration(0), "wait %d", n+1)
				require.LessOrEqual(t, wait, bound, "wait %d", n+1)
				bound = min(2*bound, highest)
			}
		})
	})
	t.Run("UsesTheWholeRangeAndDoublesIt", func(t *testing.T) {
		t.Parallel()
		// 2,000 uniform draws miss a tenth of their range, at one end or the other, once in 10^91 runs.
		const series = 2000
		bounds := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60}
		lowest, highest := make([]time.Duration, len(bounds)), make([]time.Duration, len(bounds))
		for i := range series {
			waits := breaker.NewBackoff(time.Second, time.Minute)
			for n := range bounds {
				wait := waits.Next()
				if i == 0 || wait < lowest[n] {
					lowest[n] = wait
				}
				highest[n] = max(highest[n], wait)
			}
		}
		for n, seconds := range bounds {
			bound := seconds * time.Second
			require.Less(t, lowest[n], bound/10, "wait %d", n+1)
			require.Greater(t, highest[n], bound-bound/10, "wait %d", n+1)
			require.LessOrEqual(t, highest[n], bound, "wait %d", n+1)
		}
	})
	t.Run("NeverWaitsLongerThanTheHighestEvenAtFirst", func(t *testing.T) {
		t.Parallel()
		for range 1000 {
			require.LessOrEqual(t, breaker.NewBackoff(time.Hour, time.Second).Next(), time.Second)
		}
	})
}
