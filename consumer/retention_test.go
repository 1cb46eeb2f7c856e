package consumer

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// keep changes how long the orders are kept.
func (b *bundle) keep(t *testing.T, settings map[string]string) {
	t.Helper()
	var changes []kadm.AlterConfig
	for name, value := range settings {
		changes = append(changes, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	_, err := b.Admin.AlterTopicConfigs(t.Context(), changes, b.config.Topic)
	require.NoError(t, err)
}

func requireRetention(t *testing.T, c *Consumer, seconds string) {
	t.Helper()
	require.NoError(t, testutil.CollectAndCompare(c, strings.NewReader(`
# HELP cjrelay_orders_retention_seconds How long the orders' topic keeps a record; +Inf when for ever, or while that is not known.
# TYPE cjrelay_orders_retention_seconds gauge
cjrelay_orders_retention_seconds `+seconds+"\n"), "cjrelay_orders_retention_seconds"))
}

func TestRetentionIsFollowedOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.keep(t, map[string]string{"retention.ms": "3600000"})
		requireRetention(t, New(b.config), "+Inf") // nobody was asked yet
		r := b.start(t)
		time.Sleep(time.Second)
		requireRetention(t, r.Consumer, "3600")

		b.keep(t, map[string]string{"retention.ms": "60000"})
		fault := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Err: kerr.UnknownServerError, Count: -1})
		time.Sleep(2 * retentionEvery)
		requireRetention(t, r.Consumer, "3600") // what is known stays
		require.Positive(t, fault.Hits())
		fault.Remove()
		time.Sleep(time.Minute)
		requireRetention(t, r.Consumer, "60")

		for _, forEver := range []map[string]string{{"retention.ms": "-1"}, {"retention.ms": "60000", "cleanup.policy": "compact"}} {
			b.keep(t, forEver)
			time.Sleep(retentionEvery + time.Minute)
			requireRetention(t, r.Consumer, "+Inf")
			b.keep(t, map[string]string{"retention.ms": "120000", "cleanup.policy": "delete"})
			time.Sleep(retentionEvery + time.Minute)
			requireRetention(t, r.Consumer, "120")
		}
		r.halt(t)
	})
}
