package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A static member keeps its place in the group over a restart: it commits under its name, so that whoever takes that
// name fences it, and it never leaves.
func TestStaticMemberNeverLeavesOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.InstanceID = "relay-0"
		unnamed := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Group: b.config.Group, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
			commit := r.(*kmsg.OffsetCommitRequest)
			return commit.Generation >= 0 && (commit.InstanceID == nil || *commit.InstanceID != "relay-0")
		}})
		left := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Group: b.config.Group, Observe: true, Count: -1})
		r := b.start(t)
		b.confirm(t, 0, b.another())
		b.requireCommitted(t, 0, 1)
		r.halt(t)
		began := time.Now()
		r = b.start(t)
		b.confirm(t, 0, b.another())
		b.requireCommitted(t, 0, 2)
		require.Less(t, time.Since(began), b.config.SessionTimeout, "its place was taken from it")
		r.halt(t)
		require.Zero(t, unnamed.Hits())
		require.Zero(t, left.Hits())
		// Nor is it taken out where it could not leave by itself.
		require.NoError(t, r.leaveAs("relay-0-1234"))
		require.Zero(t, left.Hits())
	})
}
