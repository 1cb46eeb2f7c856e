package breaker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestSuspend(t *testing.T) {
	t.Parallel()
	t.Run("NothingStartsUntilResumeAndThenInOrder", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Concurrency: 2})
			inFlight := take(t, gate, "in flight")
			require.Zero(t, gate.Suspended())
			began := time.Now()
			require.True(t, gate.Suspend())
			inFlight.Done(breaker.Succeeded)
			first := ask(t.Context(), gate, "first")
			second := ask(t.Context(), gate, "second")
			third := ask(t.Context(), gate, "third")
			time.Sleep(24 * time.Hour)
			synctest.Wait()
			require.Zero(t, admitted([]*request{first, second, third}))
			require.False(t, gate.Suspend(), "it is suspended already")
			require.Equal(t, began, gate.Suspended())
			require.True(t, gate.Resume())
			synctest.Wait()
			require.Equal(t, 2, admitted([]*request{first, second}), "whoever waits starts by itself")
			require.False(t, third.admitted())
			require.False(t, gate.Resume())
			require.Zero(t, gate.Suspended())
			end([]*request{first, second, third})
		})
	})
	t.Run("LetsNoProbeThrough", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := opened(t, breaker.Config{})
			gate.Suspend()
			probe := ask(t.Context(), gate, "probe")
			time.Sleep(time.Minute)
			synctest.Wait()
			require.False(t, probe.admitted())
			gate.Resume()
			synctest.Wait()
			require.True(t, probe.admitted())
			end([]*request{probe})
		})
	})
	t.Run("WakesThoseWhoWatchIt", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			changed := gate.Changed()
			gate.Suspend()
			require.True(t, closed(changed), "it began")
			changed = gate.Changed()
			gate.Suspend()
			require.False(t, closed(changed), "nothing has changed")
			gate.Resume()
			require.True(t, closed(changed), "it ended")
		})
	})
}
