package sessions

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// freezing is a connection to a broker that can freeze: what is written then gets lost, and nothing comes back.
type freezing struct {
	net.Conn
	frozen *atomic.Bool
}

func (c freezing) Write(p []byte) (int, error) {
	if c.frozen.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

func TestCloseDoesNotWaitForFrozenBrokersOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var network kfake.VirtualNetwork
		b := setup(t, kafkatest.StartVirtualOn(t, &network), 1)
		var frozen atomic.Bool
		config := b.config()
		config.Client = append(b.Options(), kgo.Dialer(func(ctx context.Context, kind, address string) (net.Conn, error) {
			connection, err := network.DialContext(ctx, kind, address)
			return freezing{connection, &frozen}, err
		}))
		table := start(t, b, config, NewMemory())
		requireReady(t, table.Table)
		frozen.Store(true)
		time.Sleep(500 * time.Millisecond)
		began := time.Now()
		table.stop()
		require.LessOrEqual(t, time.Since(began), 2*closeGrace)
	})
}
