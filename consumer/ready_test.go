package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A start that goes well warns of nothing, though the group has to be joined first. One that does not is said.
func TestLogSaysWhatKeepsAStartFromBeingReadyOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		r := b.start(t)
		time.Sleep(2 * lasting)
		r.halt(t)
		require.Equal(t, 1, b.log.count("msg=ready\n"))
		require.Zero(t, b.log.count("level=WARN"), b.log.String())

		fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, Group: b.config.Group, Err: kerr.CoordinatorLoadInProgress, Count: -1})
		r = b.start(t)
		time.Sleep(lasting + 2*sampleEvery)
		require.Equal(t, 1, b.log.count(`msg="not ready" check=group`))
		fault.Remove()
		time.Sleep(time.Minute)
		require.Equal(t, 1, b.log.count(`msg="ready again" check=group`))
		r.halt(t)
	})
}
