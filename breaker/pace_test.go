package breaker_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestRate(t *testing.T) {
	t.Parallel()
	// answerAll has n orders ask at once, answers each at once, and returns when the last one started.
	answerAll := func(t *testing.T, gate *breaker.Gate, n int) time.Duration {
		t.Helper()
		began := time.Now()
		var waiting []*request
		for _, order := range orders("order", n) {
			waiting = append(waiting, ask(t.Context(), gate, order))
		}
		before := began
		for i, r := range waiting {
			<-r.answered
			require.False(t, r.at.Before(before), "number %d was overtaken", i)
			before = r.at
			r.permit.Done(breaker.Succeeded)
		}
		return time.Since(began)
	}
	for name, test := range map[string]struct {
		rate    float64
		orders  int
		atLeast time.Duration
		atMost  time.Duration
	}{
		"None":             {0, 1000, 0, 0},
		"Negative":         {-1, 1000, 0, 0},
		"OneASecond":       {1, 11, 10 * time.Second, 10*time.Second + time.Millisecond},
		"OneEveryTwenty":   {0.05, 4, time.Minute, time.Minute + time.Millisecond},
		"AHundredASecond":  {100, 1010, 10 * time.Second, 10*time.Second + time.Millisecond},
		"SevenASecond":     {7, 71, 10 * time.Second, 10*time.Second + time.Millisecond},
		"MoreThanThereAre": {1e6, 1000, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				gate := breaker.New(breaker.Config{Concurrency: 10_000, Rate: test.rate})
				require.Equal(t, max(test.rate, 0), gate.Rate())
				took := answerAll(t, gate, test.orders)
				require.GreaterOrEqual(t, took, test.atLeast)
				require.LessOrEqual(t, took, test.atMost)
			})
		})
	}
	t.Run("IsNotSavedUpWhileNobodyAsks", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Rate: 1})
			time.Sleep(time.Hour)
			require.Equal(t, 4*time.Second, answerAll(t, gate, 5).Round(time.Millisecond))
		})
	})
	t.Run("WhoGivesUpTakesNothing", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Rate: 0.1})
			answer(t, gate, breaker.Succeeded, "first")
			began := time.Now()
			for range 5 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				_, err := gate.Acquire(ctx, "gives up")
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			require.Equal(t, 5*time.Second, time.Since(began))
			r := ask(t.Context(), gate, "order")
			<-r.answered
			require.Equal(t, 10*time.Second, time.Since(began).Round(time.Millisecond))
			end([]*request{r})
		})
	})
	t.Run("CountsWhatAnAttemptRepeated", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Rate: 1})
			began := time.Now()
			permit := take(t, gate, "sent four times")
			early := ask(t.Context(), gate, "asked before that was known")
			permit.Repeated(3)
			permit.Done(breaker.Succeeded)
			<-early.answered
			require.Equal(t, 4*time.Second, time.Since(began).Round(time.Millisecond))
			end([]*request{early})
		})
	})
	t.Run("TakesNoPlaceOfAProbe", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Rate: 1, ConsecutiveOrders: 2})
			answer(t, gate, breaker.Failed, "outage")
			time.Sleep(time.Second)
			answer(t, gate, breaker.Failed, "outage too")
			require.Equal(t, breaker.Open, gate.State())
			var waiting []*request
			for _, order := range orders("probe", 3) {
				waiting = append(waiting, ask(t.Context(), gate, order))
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			require.Equal(t, 3, admitted(waiting))
			for _, r := range waiting {
				r.permit.Done(breaker.Succeeded)
			}
			require.Equal(t, breaker.Closed, gate.State())
		})
	})
	t.Run("CostsNothingWhileTheCircuitIsOpen", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{Rate: 0.5, ConsecutiveOrders: 2})
			answer(t, gate, breaker.Failed, "outage")
			time.Sleep(2 * time.Second)
			answer(t, gate, breaker.Failed, "outage too")
			require.Equal(t, breaker.Open, gate.State())
			// Who asks just before the circuit turns half-open must leave the rate as it was.
			time.Sleep(10*time.Second - time.Millisecond)
			r := ask(t.Context(), gate, "probe")
			require.False(t, r.admitted())
			time.Sleep(time.Millisecond + time.Nanosecond)
			synctest.Wait()
			require.True(t, r.admitted())
			end([]*request{r})
		})
	})
}
