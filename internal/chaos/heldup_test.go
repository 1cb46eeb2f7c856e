//go:build kafka

package chaos

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A member that was killed holds the group up until its session is over. Meanwhile nobody can join, and the client's
// own commits wait, too. Whoever is told to stop then commits all the same, leaves, and has nothing sent twice.
func TestStopWhileADeadMemberHoldsTheGroupUp(t *testing.T) {
	b := set(t, 4)
	// Longer than a stop may take.
	b.Config.Kafka.SessionTimeout = 20 * time.Second
	b.Config.Delivery.CommitInterval = often
	first := b.start()
	b.done(50)
	second := b.start()
	require.NoError(t, second.Await(b.ctx, saysAssigned, 1))
	b.done(50)
	require.NoError(t, b.AwaitCommitted(b.ctx))
	require.NoError(t, second.Kill())
	third := b.start()
	b.awaitState("PreparingRebalance")

	made := b.CJ.Made(first.Name)
	b.confirm(200)
	require.NoError(t, b.CJ.Await(b.ctx, func() bool { return b.CJ.Made(first.Name) >= made+30 }))
	for _, r := range []*Relay{first, third} {
		require.NoError(t, r.Stop(b.ctx))
		left, _ := r.log.when("the group could not be left; it finds out by itself")
		require.Empty(t, left, r.Name)
	}
	b.takeOver()
	require.Zero(t, b.finish().Duplicates)
}

// awaitState waits until the group is in a state.
func (b *bench) awaitState(state string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool {
		groups, err := b.Admin.DescribeGroups(b.ctx, b.Config.Orders.Group)
		return err == nil && groups[b.Config.Orders.Group].State == state
	}, time.Minute, 10*time.Millisecond, "the group is never in state %s", state)
}
