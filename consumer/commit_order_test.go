package consumer

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A commit that brokers are slow to take must not land after a later one: the group would stand where it stood before,
// and orders be sent again after a stop that had drained in time.
func TestSlowCommitDoesNotLandAfterALaterOneOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// With one broker alone nothing would be committed while it hangs: the question before a commit would hang, too.
		b := setupVirtual(t, 1, kfake.NumBrokers(3), kfake.Ports(9092, 9093, 9094))
		r := b.start(t)
		b.confirm(t, 0, b.pastOrders(3)...)
		b.requireCommitted(t, 0, 3)
		var slow atomic.Bool
		slow.Store(true)
		b.Fake.ControlKey(kmsg.OffsetCommit.Int16(), func(kmsg.Request) (kmsg.Response, error, bool) {
			b.Fake.KeepControl()
			if slow.CompareAndSwap(true, false) {
				b.Fake.SleepControl(func() { time.Sleep(25 * time.Second) })
			}
			return nil, nil, false
		})
		b.confirm(t, 0, b.another())
		time.Sleep(1500 * time.Millisecond)
		require.False(t, slow.Load(), "no commit under way")
		b.confirm(t, 0, b.another())
		time.Sleep(40 * time.Second)
		r.halt(t)
		require.EqualValues(t, 5, b.committed(t, 0))
	})
}
