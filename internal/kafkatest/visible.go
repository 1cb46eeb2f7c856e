package kafkatest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// awaitTopic waits until every broker knows the topic and its partitions' leaders. A real cluster says that a
// topic is made before all of that has got around, and refuses it meanwhile as one that does not exist.
func (c *Cluster) awaitTopic(t testing.TB, name string, partitions int32) {
	t.Helper()
	brokers, err := c.Admin.ListBrokers(t.Context())
	require.NoError(t, err)
	for _, broker := range brokers {
		for tries := 0; !c.knows(t, broker.NodeID, name, partitions); tries++ {
			require.Less(t, tries, 1000, "broker %d does not get to know the topic %s", broker.NodeID, name)
			time.Sleep(10 * time.Millisecond)
		}
	}
	for tries := 0; ; tries++ {
		// Leaders answer this, and they may be later than those who know that they are.
		ends, err := c.Admin.ListEndOffsets(t.Context(), name)
		if err == nil && ends.Error() == nil {
			return
		}
		require.Less(t, tries, 1000, "the topic %s has no leaders: %v", name, err)
		time.Sleep(10 * time.Millisecond)
	}
}

func (c *Cluster) knows(t testing.TB, broker int32, name string, partitions int32) bool {
	t.Helper()
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	request.Topics = append(request.Topics, topic)
	response, err := c.client.Broker(int(broker)).Request(t.Context(), request)
	require.NoError(t, err)
	known := response.(*kmsg.MetadataResponse).Topics
	if len(known) != 1 || known[0].ErrorCode != 0 || len(known[0].Partitions) != int(partitions) {
		return false
	}
	for _, partition := range known[0].Partitions {
		if partition.ErrorCode != 0 || partition.Leader < 0 {
			return false
		}
	}
	return true
}
