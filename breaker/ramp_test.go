package breaker_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestRampAfterClosing(t *testing.T) {
	t.Parallel()
	t.Run("GrowsByOneASuccessFromProbesToConcurrency", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := opened(t, breaker.Config{Concurrency: 16})
			var waiting []*request
			for _, order := range orders("backlog", 100) {
				waiting = append(waiting, ask(t.Context(), gate, order))
			}
			time.Sleep(11 * time.Second)
			synctest.Wait()
			require.Equal(t, 3, admitted(waiting))
			for _, probe := range waiting[:3] {
				probe.permit.Done(breaker.Succeeded)
			}
			require.Equal(t, breaker.Closed, gate.State())
			answered := 3
			for limit := 3; ; limit++ {
				synctest.Wait()
				require.Equal(t, min(limit, 16), admitted(waiting)-answered, "in flight after %d successes", limit-3)
				if limit == 20 {
					break
				}
				waiting[answered].permit.Done(breaker.Succeeded)
				answered++
			}
			end(waiting)
		})
	})
	t.Run("FailuresAndCancellationsKeepItWhereItIs", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{})
			answer(t, gate, breaker.Succeeded, "a", "b", "c")
			answer(t, gate, breaker.Failed, "d")
			answer(t, gate, breaker.Cancelled, "e")
			var inFlight []*request
			for _, order := range orders("order", 4) {
				inFlight = append(inFlight, ask(t.Context(), gate, order))
			}
			require.Equal(t, 3, admitted(inFlight))
			inFlight[0].permit.Done(breaker.Cancelled)
			synctest.Wait()
			require.True(t, inFlight[3].admitted(), "who waits for the ramp takes a place that becomes free")
			end(inFlight)
		})
	})
	t.Run("CountsWhatIsStillInFlightFromBefore", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := breaker.New(breaker.Config{})
			var slow []*breaker.Permit
			for _, order := range orders("slow", 10) {
				slow = append(slow, take(t, gate, order))
			}
			answer(t, gate, breaker.Failed, orders("outage", 20)...)
			time.Sleep(11 * time.Second)
			answer(t, gate, breaker.Succeeded, "a", "b", "c")
			r := ask(t.Context(), gate, "next")
			for i, permit := range slow {
				require.False(t, r.admitted(), "with %d from before in flight", len(slow)-i)
				permit.Done(breaker.Failed)
				synctest.Wait()
				if i == 7 {
					break
				}
			}
			require.True(t, r.admitted(), "two of before and this one are three")
			end([]*request{r})
			slow[8].Done(breaker.Failed)
			slow[9].Done(breaker.Failed)
		})
	})
	t.Run("DoesNotKeepTheProbesOfTheNextOutageWaiting", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{MinSamples: never})
			answer(t, gate, breaker.Succeeded, orders("good", 4)...)
			for _, order := range orders("hanging", 3) {
				defer take(t, gate, order).Done(breaker.Cancelled)
			}
			answer(t, gate, breaker.Failed, orders("again", 20)...)
			time.Sleep(10*time.Second + time.Nanosecond)
			for _, order := range orders("probe", 3) {
				defer take(t, gate, order).Done(breaker.Cancelled)
			}
		})
	})
	t.Run("EndsInTheNextOutage", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{Concurrency: 8})
			answer(t, gate, breaker.Succeeded, "a", "b", "c")
			for i := range 2 {
				answer(t, gate, breaker.Failed, orders(fmt.Sprint("again-", i), 20)...)
				require.Equal(t, breaker.Open, gate.State())
				time.Sleep(11 * time.Second)
				answer(t, gate, breaker.Succeeded, "a", "b", "c")
				require.Equal(t, breaker.Closed, gate.State())
			}
			answer(t, gate, breaker.Succeeded, orders("good", 5)...)
			requireCapacity(t, gate, 8)
		})
	})
	t.Run("IsNoneWhereProbesAreAsManyAsWorkers", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			gate := halfOpened(t, breaker.Config{Concurrency: 2, Probes: 5})
			answer(t, gate, breaker.Succeeded, orders("probe", 5)...)
			requireCapacity(t, gate, 2)
		})
	})
}

// requireCapacity makes sure that exactly n attempts may be in flight.
func requireCapacity(t *testing.T, gate *breaker.Gate, n int) {
	t.Helper()
	for _, order := range orders("capacity", n) {
		defer take(t, gate, order).Done(breaker.Cancelled)
	}
	refuse(t, gate, "one too many")
}
