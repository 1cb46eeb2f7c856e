//go:build kafka

package interop_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// producer writes lines to a topic with somebody else's program.
type producer func(t *testing.T, c *kafkatest.Cluster, topic, lines string, arguments ...string)

// separator stands between key and value on a line.
const separator = "|"

// javaProducer is Kafka's own console producer: its Java client, with the partitioner that this has by default.
func javaProducer(t *testing.T, c *kafkatest.Cluster, topic, lines string, arguments ...string) {
	t.Helper()
	c.Tool(t, lines, "console-producer", append([]string{"--topic", topic,
		"--reader-property", "parse.key=true", "--reader-property", "key.separator=" + separator}, arguments...)...)
}

// kcat is librdkafka.
func kcat(t *testing.T, c *kafkatest.Cluster, topic, lines string, arguments ...string) {
	t.Helper()
	c.Kcat(t, lines, append([]string{"-P", "-t", topic, "-K", separator}, arguments...)...)
}

func TestKeysLieWhereTheirProducersPartitionerSays(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Start(t)
	keys := keys(t)
	lines := strings.Join(keys, separator+"v\n") + separator + "v\n"

	for name, of := range map[string]struct {
		produce     producer
		arguments   []string
		ours, wrong string
	}{
		"JavaByDefault":              {javaProducer, nil, schema.PartitionerMurmur2, schema.PartitionerCRC32},
		"LibrdkafkaByDefault":        {kcat, nil, schema.PartitionerCRC32, schema.PartitionerMurmur2},
		"LibrdkafkaConsistent":       {kcat, []string{"-X", "partitioner=consistent"}, schema.PartitionerCRC32, schema.PartitionerMurmur2},
		"LibrdkafkaConsistentRandom": {kcat, []string{"-X", "partitioner=consistent_random"}, schema.PartitionerCRC32, schema.PartitionerMurmur2},
		"LibrdkafkaMurmur2":          {kcat, []string{"-X", "partitioner=murmur2"}, schema.PartitionerMurmur2, schema.PartitionerCRC32},
		"LibrdkafkaMurmur2Random":    {kcat, []string{"-X", "partitioner=murmur2_random"}, schema.PartitionerMurmur2, schema.PartitionerCRC32},
	} {
		for _, partitions := range []int32{7, 12} {
			t.Run(fmt.Sprintf("%s/Of%d", name, partitions), func(t *testing.T) {
				t.Parallel()
				topic := cluster.Topic(t, "partitioner", partitions, nil)
				of.produce(t, cluster, topic, lines, of.arguments...)

				ours, err := schema.NewPartitioner(of.ours)
				require.NoError(t, err)
				wrong, err := schema.NewPartitioner(of.wrong)
				require.NoError(t, err)
				var seen []string
				agreed := 0
				for _, record := range cluster.Read(t, topic) {
					require.EqualValues(t, record.Partition, ours(record.Key, int(partitions)), "%q", record.Key)
					if int(record.Partition) == wrong(record.Key, int(partitions)) {
						agreed++
					}
					seen = append(seen, string(record.Key))
				}
				require.ElementsMatch(t, keys, seen)
				// Chance alone lets one key in so many agree.
				require.Less(t, agreed, 2*len(keys)/int(partitions), "%s should not fit too", of.wrong)
			})
		}
	}
}
