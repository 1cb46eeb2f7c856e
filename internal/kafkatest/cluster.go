// Package kafkatest is one face for the two Kafkas that tests run on: franz-go's kfake in this process, and
// a real cluster when KAFKA_TEST_BROKERS names one. A test that uses it runs unchanged on both.
package kafkatest

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// brokersVariable names the real cluster's brokers, separated by commas.
const brokersVariable = "KAFKA_TEST_BROKERS"

// Cluster is a Kafka to test on.
type Cluster struct {
	// Brokers are where to connect.
	Brokers []string
	// Fake is nil on a real cluster. Use it for faults that only the fake can have.
	Fake *kfake.Cluster
	// Admin is for looking and for making topics.
	Admin *kadm.Client

	client  *kgo.Client
	network *kfake.VirtualNetwork
}

// Start gives the test a cluster: a kfake of its own, or the real one that all tests share.
func Start(t testing.TB, options ...kfake.Opt) *Cluster {
	t.Helper()
	named := os.Getenv(brokersVariable)
	if named == "" {
		return StartFake(t, options...)
	}
	return (&Cluster{Brokers: strings.Split(named, ",")}).ready(t)
}

// StartFake gives the test a kfake of its own, also where a real cluster is named. It is for faults that only
// the fake can have.
func StartFake(t testing.TB, options ...kfake.Opt) *Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond)}, options...)...)
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	return (&Cluster{Fake: fake, Brokers: fake.ListenAddrs()}).ready(t)
}

// StartVirtual gives a test in a synctest bubble a kfake of its own, on a network that lets the bubble's clock
// run. Reach it with Options.
func StartVirtual(t testing.TB, options ...kfake.Opt) *Cluster {
	t.Helper()
	return StartVirtualOn(t, &kfake.VirtualNetwork{}, options...)
}

// StartVirtualOn does so on a network that the test has in hand, to cut it.
func StartVirtualOn(t testing.TB, network *kfake.VirtualNetwork, options ...kfake.Opt) *Cluster {
	t.Helper()
	fake, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(network.Listen)}, options...)...)
	require.NoError(t, err)
	t.Cleanup(fake.Close)
	return (&Cluster{Fake: fake, Brokers: fake.ListenAddrs(), network: network}).ready(t)
}

// Options say how to reach the cluster.
func (c *Cluster) Options() []kgo.Opt {
	options := []kgo.Opt{kgo.SeedBrokers(c.Brokers...)}
	if c.network != nil {
		options = append(options, kgo.Dialer(c.network.DialContext))
	}
	return options
}

// ready connects the cluster's Admin and waits until the cluster answers.
func (c *Cluster) ready(t testing.TB) *Cluster {
	t.Helper()
	client := c.Client(t)
	c.client, c.Admin = client, kadm.NewClient(client)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.NoError(t, client.Ping(ctx), "the cluster at %v does not answer; is it up?", c.Brokers)
	return c
}

// Real tells whether this is a real cluster.
func (c *Cluster) Real() bool { return c.Fake == nil }

// Client makes a client that is closed with the test.
func (c *Cluster) Client(t testing.TB, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(c.Options(), options...)...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

var unique atomic.Int64

// Name makes a name that no other test, and no other run on the same cluster, uses.
func Name(prefix string) string {
	return fmt.Sprintf("%s-%d-%d", prefix, time.Now().UnixNano(), unique.Add(1))
}

// Topic makes a topic, named after the prefix, that goes away with the test.
func (c *Cluster) Topic(t testing.TB, prefix string, partitions int32, settings map[string]string) string {
	t.Helper()
	name := Name(prefix)
	configs := map[string]*string{}
	for key, value := range settings {
		configs[key] = &value
	}
	response, err := c.Admin.CreateTopic(t.Context(), partitions, 1, configs, name)
	require.NoError(t, err)
	require.NoError(t, response.Err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_, _ = c.Admin.DeleteTopic(ctx, name)
	})
	c.awaitTopic(t, name, partitions)
	return name
}

// Produce writes records and waits until Kafka has them.
func (c *Cluster) Produce(t testing.TB, records ...*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(append(c.Options(), kgo.ProducerBatchMaxBytes(64<<20), kgo.RecordPartitioner(keepPartition{}))...)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
}

// Read returns every committed record of the topic, in offset order within each partition.
func (c *Cluster) Read(t testing.TB, topic string) []*kgo.Record {
	t.Helper()
	ends, err := c.Admin.ListCommittedOffsets(t.Context(), topic)
	require.NoError(t, err)
	require.NoError(t, ends.Error())
	starts, err := c.Admin.ListStartOffsets(t.Context(), topic)
	require.NoError(t, err)
	left := map[int32]int64{}
	from := map[int32]kgo.Offset{}
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, end.Partition)
		if end.Offset > start.Offset {
			left[end.Partition] = end.Offset
			from[end.Partition] = kgo.NewOffset().At(start.Offset)
		}
	})
	if len(left) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(c.Options(), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond))...)
	require.NoError(t, err)
	defer client.Close()
	var records []*kgo.Record
	for len(left) > 0 {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if end, reading := left[r.Partition]; reading && r.Offset >= end-1 {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records
}

// keepPartition sends keyed records where Java would, and others to the partition they name.
type keepPartition struct{}

func (keepPartition) ForTopic(topic string) kgo.TopicPartitioner {
	return byKeyOrName{kgo.StickyKeyPartitioner(nil).ForTopic(topic)}
}

type byKeyOrName struct{ kgo.TopicPartitioner }

func (p byKeyOrName) Partition(r *kgo.Record, n int) int {
	if r.Key == nil {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}
