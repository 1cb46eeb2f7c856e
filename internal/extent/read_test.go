package extent_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// read is every value that an extent has, by partition, and where each partition ended.
func read(t *testing.T, k *kafkatest.Cluster, e extent.Extent) (values map[int32][]string, ended map[int32]int64) {
	t.Helper()
	var mu sync.Mutex
	values, ended = map[int32][]string{}, map[int32]int64{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.NoError(t, e.Read(ctx, k.Client(t), func(b extent.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		if before, known := ended[b.Partition]; known {
			require.Equal(t, before, b.From)
		}
		ended[b.Partition] = b.Next
		for _, r := range b.Records {
			values[b.Partition] = append(values[b.Partition], string(r.Value))
		}
		return nil
	}))
	return values, ended
}

func whole(t *testing.T, k *kafkatest.Cluster, topic string) extent.Extent {
	t.Helper()
	e, err := extent.Whole(t.Context(), k.Client(t), topic)
	require.NoError(t, err)
	return e
}

func record(topic string, partition int32, value string) *kgo.Record {
	return &kgo.Record{Topic: topic, Partition: partition, Value: []byte(value)}
}

// transaction writes values and ends, or stays open.
func transaction(t *testing.T, k *kafkatest.Cluster, topic string, end *kgo.TransactionEndTry, values ...string) *kgo.Client {
	t.Helper()
	client := k.Client(t, kgo.TransactionalID(kafkatest.Name("id")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, client.BeginTransaction())
	for _, value := range values {
		require.NoError(t, client.ProduceSync(t.Context(), record(topic, 0, value)).FirstErr())
	}
	if end != nil {
		require.NoError(t, client.EndTransaction(t.Context(), *end))
	}
	return client
}

func TestReadsWhatTheTopicHeldAndEnds(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	topic := k.Topic(t, "extent", 3, nil)
	k.Produce(t, record(topic, 0, "a"), record(topic, 0, "b"), record(topic, 2, "c"))
	e := whole(t, k, topic)
	require.EqualValues(t, 3, e.Offsets())
	k.Produce(t, record(topic, 0, "late"), record(topic, 1, "late"))
	values, ended := read(t, k, e)
	require.Equal(t, map[int32][]string{0: {"a", "b"}, 2: {"c"}}, values)
	require.Equal(t, map[int32]int64{0: 2, 2: 1}, ended)
}

func TestReadsARangeThatBeginsAndEndsWithinABatch(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	topic := k.Topic(t, "extent", 1, nil)
	var records []*kgo.Record
	for i := range 10 {
		records = append(records, record(topic, 0, fmt.Sprint(i)))
	}
	k.Produce(t, records...)
	values, _ := read(t, k, extent.Extent{Topic: topic, Partitions: map[int32]extent.Range{0: {From: 3, To: 6}}})
	require.Equal(t, []string{"3", "4", "5"}, values[0])
}

func TestReadsRecordsAboveTheSizeOfAFetch(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	topic := k.Topic(t, "extent", 1, map[string]string{"max.message.bytes": "10485760"})
	large := strings.Repeat("x", 3<<20)
	k.Produce(t, record(topic, 0, "before"))
	k.Produce(t, record(topic, 0, large))
	k.Produce(t, record(topic, 0, "after"))
	values, _ := read(t, k, whole(t, k, topic))
	require.Equal(t, []string{"before", large, "after"}, values[0])
}

func TestAnEndThatShowsNoRecordIsReached(t *testing.T) {
	t.Parallel()
	commit, abort := kgo.TryCommit, kgo.TryAbort
	for name, test := range map[string]struct {
		write func(t *testing.T, k *kafkatest.Cluster, topic string)
		want  []string
	}{
		"Nothing": {func(*testing.T, *kafkatest.Cluster, string) {}, nil},
		"Markers": {func(t *testing.T, k *kafkatest.Cluster, topic string) {
			transaction(t, k, topic, &commit, "a")
			transaction(t, k, topic, &abort, "hidden")
		}, []string{"a"}},
		"AbortedBehindTheOneThatIsOpen": {func(t *testing.T, k *kafkatest.Cluster, topic string) {
			aborted := transaction(t, k, topic, nil, "hidden")
			transaction(t, k, topic, nil, "open")
			require.NoError(t, aborted.EndTransaction(t.Context(), kgo.TryAbort))
		}, nil},
		"DeletedToTheEnd": {func(t *testing.T, k *kafkatest.Cluster, topic string) {
			k.Produce(t, record(topic, 0, "gone"), record(topic, 0, "gone"))
			offsets := kadm.Offsets{}
			offsets.AddOffset(topic, 0, 2, -1)
			_, err := k.Admin.DeleteRecords(t.Context(), offsets)
			require.NoError(t, err)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := kafkatest.Start(t)
			topic := k.Topic(t, "extent", 1, nil)
			test.write(t, k, topic)
			values, _ := read(t, k, whole(t, k, topic))
			require.Equal(t, test.want, values[0])
		})
	}
}

func TestGoesOnWhereTheLogBeginsNow(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	topic := k.Topic(t, "extent", 1, nil)
	k.Produce(t, record(topic, 0, "a"), record(topic, 0, "b"), record(topic, 0, "c"))
	e := whole(t, k, topic)
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 2, -1)
	_, err := k.Admin.DeleteRecords(t.Context(), offsets)
	require.NoError(t, err)
	values, ended := read(t, k, e)
	require.Equal(t, []string{"c"}, values[0])
	require.EqualValues(t, 3, ended[0])
}

func TestFollowsTheLeader(t *testing.T) {
	t.Parallel()
	k := kafkatest.StartFake(t, kfake.NumBrokers(3))
	topic := k.Topic(t, "extent", 1, nil)
	for i := range 3 {
		k.Produce(t, record(topic, 0, fmt.Sprint(i)))
	}
	var fetches int
	k.Fake.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		k.Fake.KeepControl()
		if fetches++; fetches == 1 {
			_ = k.Fake.MoveTopicPartition(topic, 0, (k.Fake.LeaderFor(topic, 0)+1)%3)
		}
		return nil, nil, false
	})
	values, _ := read(t, k, whole(t, k, topic))
	require.Equal(t, []string{"0", "1", "2"}, values[0])
	require.Greater(t, fetches, 1)
}

func TestReadEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	topic := k.Topic(t, "extent", 2, nil)
	k.Produce(t, record(topic, 0, "a"), record(topic, 1, "b"))
	full := errors.New("full")
	require.ErrorIs(t, whole(t, k, topic).Read(t.Context(), k.Client(t), func(extent.Batch) error { return full }), full)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, whole(t, k, topic).Read(ended, k.Client(t), func(extent.Batch) error { return nil }), context.Canceled)

	beyond := extent.Extent{Topic: topic, Partitions: map[int32]extent.Range{0: {From: 5, To: 9}}}
	err := beyond.Read(t.Context(), k.Client(t), func(extent.Batch) error { return nil })
	require.ErrorIs(t, err, kerr.OffsetOutOfRange)
	require.ErrorContains(t, err, "at offset 5 of 9")

	_, err = extent.Whole(t.Context(), k.Client(t), kafkatest.Name("missing"))
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
}
