package sessions

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// world is a click topic, everything that was ever written into it, and the tables that read it.
type world struct {
	*bundle
	t    *testing.T
	rand *rand.Rand
	log  buffer
	// steps are what has happened, for the one who reads a failure.
	steps []string

	topicLog
	layout Layout
	orders string
	place  schema.Partitioner
	// rebalancing: partitions come and go while the tables have their records in hand, most of the time.
	rebalancing bool
	// forgetful: the topic drops tombstones at once, so no table may go on from a checkpoint.
	forgetful bool
	sessions  []string
	plain     *kgo.Client
	fillers   int
	written   int
	ids       atomic.Int64

	instances []*instance
	// broken, if set, breaks the tables, to see that the oracle notices.
	broken *sabotage
}

// oracleEpoch is the time around which clicks and orders lie: a while ago, by the clocks of a real cluster and of a
// bubble.
var oracleEpoch = time.Now().Add(-oracleAge).Truncate(time.Hour)

const oracleAge = 30 * 24 * time.Hour

// oracleTime shows a time so that it can be compared by eye.
func oracleTime(at time.Time) string { return at.Sub(oracleEpoch).String() }

// onRealKafka tells whether kafkatest.Start gives a real cluster.
func onRealKafka() bool { return os.Getenv("KAFKA_TEST_BROKERS") != "" }

// inWorld runs a scenario: on kfake in a bubble, where waiting takes no time; on a real cluster as it is.
func inWorld(t *testing.T, run func(t *testing.T, cluster *kafkatest.Cluster)) {
	t.Helper()
	if onRealKafka() {
		run(t, kafkatest.Start(t))
		return
	}
	synctest.Test(t, func(t *testing.T) {
		wakeUp()
		run(t, kafkatest.StartVirtual(t))
	})
}

// wakeUp lets the years go by between the begin of a bubble's clock and now.
func wakeUp() { time.Sleep(time.Until(oracleEpoch.Add(oracleAge))) }

func newWorld(t *testing.T, cluster *kafkatest.Cluster, seed uint64) *world {
	t.Helper()
	decode, err := schema.NewClickDecoder(schema.FormatString, nil)
	require.NoError(t, err)
	place, err := schema.NewPartitioner(schema.PartitionerMurmur2)
	require.NoError(t, err)
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, seed)), place: place, layout: Global}
	w.bundle = &bundle{Cluster: cluster, decode: decode}
	// For ever, also by the fake's clock, which begins a tombstone's life with its own time.
	tombstones := 100 * 365 * 24 * time.Hour
	if w.forgetful = w.one(5); w.forgetful {
		tombstones = 0
	}
	w.rebalancing = w.one(3)
	if w.rebalancing || w.one(3) {
		w.layout = Copartitioned
	}
	partitions := int32(1 + w.rand.IntN(3))
	settings := map[string]string{
		"cleanup.policy": "compact,delete", "retention.ms": "-1", "delete.retention.ms": fmt.Sprint(tombstones.Milliseconds()),
	}
	if w.Real() {
		settings["min.cleanable.dirty.ratio"], settings["min.compaction.lag.ms"] = "0.01", "0"
		settings["segment.ms"] = fmt.Sprint(oracleSegment.Milliseconds())
		settings["message.timestamp.after.max.ms"] = fmt.Sprint(math.MaxInt64)
	}
	w.topic = cluster.Topic(t, "cjevent", partitions, settings)
	if w.layout == Copartitioned {
		w.orders = cluster.Topic(t, "orders", partitions, nil)
	}
	for range partitions {
		w.partitions = append(w.partitions, &partitionLog{})
	}
	for n := range 2 + w.rand.IntN(4) {
		w.sessions = append(w.sessions, fmt.Sprintf("s-%d", n))
	}
	w.plain = w.producer()
	w.did("topic of %d partitions, %s, rebalancing %t, forgetful %t", partitions, w.layout, w.rebalancing, w.forgetful)
	for range 1 + w.rand.IntN(3) {
		w.instances = append(w.instances, w.newInstance())
	}
	return w
}

func (w *world) producer(options ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	client, err := kgo.NewClient(w.producing(options...)...)
	require.NoError(w.t, err)
	w.t.Cleanup(client.Close)
	return client
}

func (w *world) producing(options ...kgo.Opt) []kgo.Opt {
	return append(append(w.Options(), options...), kgo.DefaultProduceTopic(w.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(0), kgo.MetadataMinAge(10*time.Millisecond))
}

// config is how the tables are set.
func (w *world) config() Config {
	return Config{
		Topic: w.topic, Layout: w.layout, Orders: w.orders, Partitioner: w.place, Window: oracleWindow, Decode: w.decode,
		Client: w.Options(), BatchMemory: 1 << 20, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
}

// one is true once in n.
func (w *world) one(n int) bool { return w.rand.IntN(n) == 0 }

// pick is one of a few.
func pick[T any](random *rand.Rand, of ...T) T { return of[random.IntN(len(of))] }

func (w *world) did(format string, arguments ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.steps = append(w.steps, fmt.Sprintf(format, arguments...))
}

// story is what a failure is told with.
func (w *world) story() string {
	return "what happened:\n  " + strings.Join(w.steps, "\n  ") + "\nlog of the tables:\n" + w.log.String()
}

// write writes records, each partition's into one batch, and waits until Kafka has them.
func (w *world) write(in *transaction, entries ...*entry) {
	w.t.Helper()
	require.NoError(w.t, w.send(w.t.Context(), in, entries...))
	w.written += len(entries)
}

func (w *world) send(ctx context.Context, in *transaction, entries ...*entry) error {
	client := w.plain
	if in != nil {
		client = in.client
	}
	records := make([]*kgo.Record, len(entries))
	for i, e := range entries {
		records[i] = &kgo.Record{Partition: e.partition, Key: []byte(e.session), Timestamp: e.at}
		switch e.kind {
		case Put:
			records[i].Value = []byte(e.id)
		case Spoil:
			records[i].Value = []byte("not a click id")
		}
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	for i, e := range entries {
		e.offset = records[i].Offset
	}
	w.add(in, entries...)
	for _, e := range entries {
		w.did("wrote %v", e)
	}
	return nil
}

// begin begins a transaction.
func (w *world) begin() *transaction {
	w.t.Helper()
	in := &transaction{first: map[int32]int64{}, partitions: int32(len(w.partitions))}
	in.client = w.producer(kgo.TransactionalID(kafkatest.Name("edge")), kgo.TransactionTimeout(15*time.Minute))
	require.NoError(w.t, in.client.BeginTransaction())
	w.running = append(w.running, in)
	w.did("began a transaction")
	return in
}

// end ends the n-th open transaction, and waits until its markers are written: Kafka answers before that.
func (w *world) end(n int, committed bool) {
	w.t.Helper()
	in := w.running[n]
	require.NoError(w.t, in.client.EndTransaction(w.t.Context(), kgo.TransactionEndTry(committed)))
	for p := range in.first {
		w.partitions[p].end++
	}
	in.ended, in.committed = true, committed
	w.running = append(w.running[:n:n], w.running[n+1:]...)
	in.client.Close()
	w.awaitMarkers()
	w.did("ended transaction at %v, committed %t", in.first, committed)
}

// awaitMarkers waits until the partitions end where the oracle has their ends. The last stable offsets do not tell:
// they stand still while an earlier transaction is open.
func (w *world) awaitMarkers() {
	w.t.Helper()
	want := map[int32]int64{}
	for p, partition := range w.partitions {
		want[int32(p)] = partition.end
	}
	for began := time.Now(); ; {
		listed, err := w.Admin.ListEndOffsets(w.t.Context(), w.topic)
		require.NoError(w.t, err)
		ends := map[int32]int64{}
		listed.Each(func(end kadm.ListedOffset) { ends[end.Partition] = end.Offset })
		if maps.Equal(ends, want) {
			break
		}
		require.Less(w.t, time.Since(began), long, "the markers of a transaction are not where they are expected: "+
			"the topic ends at %v instead of %v\n%s", ends, want, w.story())
		time.Sleep(time.Millisecond)
	}
	listed, err := w.Admin.ListCommittedOffsets(w.t.Context(), w.topic)
	require.NoError(w.t, err)
	for p, end := range w.stable() {
		stable, _ := listed.Lookup(w.topic, p)
		require.Equal(w.t, end, stable.Offset, "the last stable offset of partition %d\n%s", p, w.story())
	}
}

// addPartition adds one; murmur2 then puts some sessions elsewhere.
func (w *world) addPartition() {
	w.t.Helper()
	added, err := w.Admin.CreatePartitions(w.t.Context(), 1, w.topic)
	require.NoError(w.t, err)
	require.NoError(w.t, added.Error())
	p := int32(len(w.partitions))
	w.partitions = append(w.partitions, &partitionLog{})
	require.Eventually(w.t, func() bool {
		ends, err := w.Admin.ListEndOffsets(w.t.Context(), w.topic)
		_, listed := ends.Lookup(w.topic, p)
		return err == nil && ends.Error() == nil && listed
	}, long, 10*time.Millisecond, "no leader for the added partition")
	w.plain = w.producer()
	w.did("added partition %d", p)
}
