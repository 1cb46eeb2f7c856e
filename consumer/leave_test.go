package consumer

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// A member that has died keeps the group from being joined until its session is over. Whoever is told to stop
// meanwhile must not wait for that.
func TestStopDoesNotWaitForTheGroupToBeJoinedOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(48 * time.Hour)
		var network kfake.VirtualNetwork
		dead, die := context.WithCancel(t.Context())
		b := setup(t, kafkatest.StartVirtualOn(t, &network), 1)
		b.config.Client = b.Options()
		b.readClicks(t)
		b.config.SessionTimeout = 45 * time.Second
		dying := b.config
		dying.Client = append(b.Options(), kgo.Dialer(func(ctx context.Context, kind, address string) (net.Conn, error) {
			connection, err := network.DialContext(ctx, kind, address)
			if err == nil {
				context.AfterFunc(dead, func() { connection.Close() })
			}
			if dead.Err() != nil {
				return nil, dead.Err()
			}
			return connection, err
		}))
		first := run(t, dying, b.log)
		eventually(t, func() bool { return first.partitions() == 1 }, "no partition")
		die()
		second := b.start(t)
		time.Sleep(2 * time.Second)
		require.Zero(t, second.partitions(), "the group could be joined")
		left := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Group: b.config.Group, Observe: true, Count: -1})
		began := time.Now()
		second.halt(t)
		require.Equal(t, 1, left.Hits(), "whoever left without a word would hold the others up for its session")
		require.LessOrEqual(t, time.Since(began), leaveGrace+2*time.Second)
		first.cancel()
	})
}
