//go:build kafka

package interop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// A null value erases a session's click, and an empty one is a producer's mistake: they must arrive as two.
func TestTombstonesArriveAsNullBesideTheirKeysClick(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Start(t)
	const click = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"

	for name, of := range map[string]struct {
		produce   producer
		null      string
		arguments []string
		ours      string
	}{
		"Java":       {javaProducer, "NULL", []string{"--reader-property", "null.marker=NULL"}, schema.PartitionerMurmur2},
		"Librdkafka": {kcat, "", []string{"-Z"}, schema.PartitionerCRC32},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			topic := cluster.Topic(t, "tombstone", 12, map[string]string{"cleanup.policy": "compact,delete"})
			of.produce(t, cluster, topic, "s-ä"+separator+click+"\n")
			of.produce(t, cluster, topic, "s-ä"+separator+of.null+"\n", of.arguments...)
			of.produce(t, cluster, topic, "s-ä"+separator+"\n")

			records := cluster.Read(t, topic)
			require.Len(t, records, 3)
			ours, err := schema.NewPartitioner(of.ours)
			require.NoError(t, err)
			for _, record := range records {
				require.Equal(t, "s-ä", string(record.Key))
				require.EqualValues(t, ours(record.Key, 12), record.Partition)
			}
			require.Equal(t, click, string(records[0].Value))
			require.Nil(t, records[1].Value)
			require.NotNil(t, records[2].Value)
			require.Empty(t, records[2].Value)
		})
	}
}
