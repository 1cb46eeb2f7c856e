package capture

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// A client that knows a topic by its id writes nothing to another one of that name, and says so for ever.
func TestClickTopicThatIsMadeAnewIsWrittenToOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cluster := kafkatest.StartVirtual(t)
		topic := cluster.Topic(t, "cjevent", 3, compacted)
		b := setup(t, onKafka(cluster, topic))
		stop := b.start()
		b.browser.has("sid", "s-1")
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(time.Second)
		require.Equal(t, 1.0, b.metric("produced_total"))

		_, err := cluster.Admin.DeleteTopics(t.Context(), topic)
		require.NoError(t, err)
		b.browser.has("sid", "s-2")
		b.browser.get("/?cjevent=" + clickB)
		time.Sleep(time.Minute)
		require.Error(t, b.Troubles()[0].Err)
		_, err = cluster.Admin.CreateTopic(t.Context(), 3, 1, nil, topic)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		require.NoError(t, b.Troubles()[0].Err)

		_, err = cluster.Admin.DeleteTopics(t.Context(), topic)
		require.NoError(t, err)
		_, err = cluster.Admin.CreateTopic(t.Context(), 1, 1, nil, topic)
		require.NoError(t, err)
		b.browser.has("sid", "s-3")
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(time.Minute)
		require.NoError(t, b.Troubles()[0].Err)
		require.Equal(t, 3.0, b.metric("produced_total"))
		stop()
		records := cluster.Read(t, topic)
		require.Len(t, records, 1)
		require.Equal(t, "s-3", string(records[0].Key))
	})
}
