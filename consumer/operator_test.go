package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

func TestOperatorHoldsAndResumesSendingOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.confirm(t, 0, b.pastOrders(20)...)
		began := time.Now()
		held := New(b.config) // an operator may hold before anything runs
		require.Equal(t, Sending{Held: began, Changed: true}, held.HoldSending())
		r := b.start(t)
		time.Sleep(10 * time.Minute)
		require.Zero(t, b.cj.total())
		require.True(t, r.pausedFor()[PauseOperator])
		require.Equal(t, Sending{Held: began}, r.HoldSending(), "it is held already")
		require.EqualError(t, r.check(t, "sending"), "an operator has held sending since "+began.UTC().Format(time.RFC3339)+": POST /actions/sending/resume to go on")
		require.NoError(t, r.check(t, "progress"), "who stands still on demand is not stalled")
		require.Empty(t, b.outcomes(t))

		require.Equal(t, Sending{Changed: true}, r.ResumeSending())
		b.requireCommitted(t, 0, 20)
		require.Empty(t, r.pausedFor())
		require.NoError(t, r.check(t, "sending"))
		require.Equal(t, Sending{}, r.ResumeSending())
		require.Equal(t, 20, b.cj.total())
		r.halt(t)
	})
}

// A hold must not hold back a stop, nor the handing over of partitions.
func TestOperatorsHoldDelaysNoStopOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.confirm(t, 0, b.pastOrders(20)...)
		r := b.start(t)
		b.requireCommitted(t, 0, 20)
		r.HoldSending()
		synctest.Wait()
		began := time.Now()
		r.onRevoked(t.Context(), r.client, map[string][]int32{b.config.Topic: {0}})
		r.halt(t)
		require.Less(t, time.Since(began), time.Second)
	})
}

func TestOperatorReleasesAndStopsWhatTheMassRuleHoldsOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.MassSamples = 5
		b.cj.always(rejected)
		b.confirm(t, 0, b.pastOrders(12)...)
		r := b.start(t)
		eventually(t, func() bool { return r.check(t, "cj") != nil }, "the mass rule holds nothing")
		held, err := r.StopHeld("cj")
		require.NoError(t, err)
		require.True(t, held.Stopped)
		time.Sleep(time.Minute) // what was being tried has its answer
		require.ErrorContains(t, r.check(t, "cj"), "POST /actions/held/cj/release")
		attempts := b.cj.total()
		time.Sleep(10 * time.Minute)
		require.Equal(t, attempts, b.cj.total(), "they are tried all the same")
		require.Empty(t, b.Read(t, b.config.DeadLetterTopic))

		held, err = r.ReleaseHeld("cj")
		require.NoError(t, err)
		require.Equal(t, Held{Orders: 12}, held)
		b.requireCommitted(t, 0, 12)
		require.Len(t, b.Read(t, b.config.DeadLetterTopic), 12)
		require.Equal(t, schema.ReasonRejected, b.outcomes(t)["ORD-3"].Reason)
		r.halt(t)
	})
}

func TestOperatorNamesAStageThatThereIs(t *testing.T) {
	t.Parallel()
	c, _ := still(t)
	for _, name := range []string{"decode", "partition", "build", "cj"} {
		_, err := c.StopHeld(name)
		require.NoError(t, err)
		require.True(t, c.rules[stage(name)].state().Stopped)
		held, err := c.ReleaseHeld(name)
		require.NoError(t, err)
		require.Equal(t, Held{}, held)
	}
	for _, name := range []string{"", "CJ", "me@example.com"} {
		_, err := c.ReleaseHeld(name)
		var unknown *UnknownStageError
		require.ErrorAs(t, err, &unknown)
		require.NotContains(t, err.Error(), "example.com")
		require.ErrorContains(t, err, "must be one of decode, partition, build, cj")
	}
}
