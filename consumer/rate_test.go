package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestRateOfSendingOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.Breaker = breaker.New(breaker.Config{Concurrency: 8, Rate: 2})
		b.config.MaxPending, b.config.MaxPendingPerPartition = 20, 20
		b.confirm(t, 0, b.pastOrders(600)...)
		r := b.start(t)
		began := time.Now()
		for r.taken.Load() < 400 {
			time.Sleep(10 * time.Second)
			require.LessOrEqual(t, r.bounds.orders(), 20, "reading does not wait")
			require.LessOrEqual(t, float64(b.cj.total()), 1+2*time.Since(began).Seconds())
			for _, check := range r.Ready() {
				require.NoError(t, check.Err, check.Name)
			}
		}
		require.InDelta(t, 200, time.Since(began).Seconds(), 20)

		// Whoever waits for the rate holds back no stop.
		stopped := time.Now()
		r.halt(t)
		require.Less(t, time.Since(stopped), time.Second)
		b.config.Breaker = breaker.New(breaker.Config{Concurrency: 8})
		after := b.start(t)
		b.requireCommitted(t, 0, 600)
		require.Equal(t, 600, b.cj.total(), "each once")
		after.halt(t)
	})
}
