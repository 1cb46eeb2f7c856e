package outcomes_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/outcomes"
	"github.com/cjrelay/cjrelay/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const partitions = 4

// shelf is an outcomes topic.
type shelf struct {
	*kafkatest.Cluster
	topic  string
	client *kgo.Client
}

func open(t *testing.T) *shelf {
	t.Helper()
	kafka := kafkatest.Start(t)
	return &shelf{Cluster: kafka, topic: kafka.Topic(t, "outcomes", partitions, nil), client: kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))}
}

var noon = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

// ended is an outcome of an order under an action, so many minutes after noon.
func ended(orderID, action string, minute int) schema.OutcomeRecord {
	return schema.OutcomeRecord{
		Group: "cjrelay", Outcome: schema.Acknowledged, Reason: schema.ReasonJoined, OrderID: orderID, EnterpriseID: "1234567", Action: action,
		Topic: "order.confirmed", Partition: 1, Offset: int64(minute), Attempts: 1, Status: 200, ConfirmedAt: noon, At: noon.Add(time.Duration(minute) * time.Minute),
	}
}

// home is the partition of a key, as our producer chooses it.
func home(t *testing.T, key string) int32 {
	t.Helper()
	partition, err := schema.NewPartitioner(schema.PartitionerMurmur2)
	require.NoError(t, err)
	return int32(partition([]byte(key), partitions))
}

// write writes outcomes where they belong.
func (s *shelf) write(t *testing.T, all ...schema.OutcomeRecord) {
	t.Helper()
	for _, outcome := range all {
		value, err := outcome.MarshalJSON()
		require.NoError(t, err)
		s.put(t, home(t, outcome.Key()), outcome.Key(), value)
	}
}

func (s *shelf) put(t *testing.T, partition int32, key string, value []byte) {
	t.Helper()
	record := &kgo.Record{Topic: s.topic, Partition: partition, Key: []byte(key), Value: value}
	require.NoError(t, s.client.ProduceSync(t.Context(), record).FirstErr())
}

// of finds the outcomes of an order, and how many offsets were read for it.
func (s *shelf) of(t *testing.T, orderID string, likely ...string) (found []schema.OutcomeRecord, read int64) {
	t.Helper()
	parts := map[int64]int64{}
	found, err := outcomes.Of(t.Context(), s.client, s.topic, orderID, likely, func(done, total int64) {
		require.LessOrEqual(t, done, total)
		parts[total] = done
	})
	require.NoError(t, err)
	for total, done := range parts {
		require.Equal(t, total, done, "it says when it is done")
		read += done
	}
	return found, read
}

func TestOutcomesAreFoundOldestFirst(t *testing.T) {
	t.Parallel()
	s := open(t)
	parked, acknowledged := ended("ORD-1", "sale", 1), ended("ORD-1", "sale", 7)
	parked.Outcome, parked.Reason = schema.Parked, schema.ReasonKeepsFailing
	parked.Offset = 9 // and of another record of the order
	// They come in another order than that in which they were: a later group wrote about an earlier time.
	s.write(t, acknowledged, ended("ORD-2", "sale", 3), parked)
	found, _ := s.of(t, "ORD-1", ended("ORD-1", "sale", 0).Key())
	require.Equal(t, []schema.OutcomeRecord{parked, acknowledged}, found)
}

func TestOutcomesThatLieWhereTheyShouldSpareTheRest(t *testing.T) {
	t.Parallel()
	s := open(t)
	var all []schema.OutcomeRecord
	for i := range 100 {
		all = append(all, ended(fmt.Sprint("ORD-", i), "sale", i))
	}
	s.write(t, all...)
	key := ended("ORD-42", "sale", 0).Key()
	beside := int64(0)
	for _, one := range all {
		if home(t, one.Key()) == home(t, key) {
			beside++
		}
	}
	require.Less(t, beside, int64(len(all)))
	found, read := s.of(t, "ORD-42", key)
	require.Equal(t, []schema.OutcomeRecord{all[42]}, found)
	require.Equal(t, beside, read, "the other partitions are not read")
}

// The enterprise or the action may have been another one when the order was sent.
func TestOutcomesUnderAnotherNameAreFoundAllTheSame(t *testing.T) {
	t.Parallel()
	s := open(t)
	lead := ended("ORD-1", "lead", 1)
	likely := ended("ORD-1", "sale", 0)
	for n := 0; home(t, likely.Key()) == home(t, lead.Key()); n++ {
		likely.Action = fmt.Sprint("sale-", n)
	}
	s.write(t, lead, ended("ORD-2", "sale", 2), ended("ORD-3", "sale", 3))
	found, read := s.of(t, "ORD-1", likely.Key())
	require.Equal(t, []schema.OutcomeRecord{lead}, found)
	require.EqualValues(t, 3, read, "each partition once")
	found, _ = s.of(t, "ORD-1")
	require.Equal(t, []schema.OutcomeRecord{lead}, found)
}

func TestOutcomesOfAnotherOrderAreNotTaken(t *testing.T) {
	t.Parallel()
	s := open(t)
	s.write(t, ended("X-ORD-1", "sale", 1), ended("ORD-10", "sale", 2), ended("a|ORD-1", "sale", 3))
	unreadable := schema.OutcomeRecord{Group: "cjrelay", Outcome: schema.DeadLetter, Reason: schema.ReasonMalformed, Topic: "order.confirmed", Offset: 1, At: noon}
	s.write(t, unreadable)
	key := ended("ORD-1", "sale", 0).Key()
	s.put(t, home(t, key), key, []byte("{"))
	s.put(t, home(t, key), key, nil)
	found, _ := s.of(t, "ORD-1", key)
	require.Empty(t, found)
	found, _ = s.of(t, "1")
	require.Empty(t, found, "the end of a key is no order id")
	found, _ = s.of(t, "a|ORD-1")
	require.Len(t, found, 1)
}

func TestOutcomesThatWereNotCommittedAreNotThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	outcome := ended("ORD-1", "sale", 1)
	value, err := outcome.MarshalJSON()
	require.NoError(t, err)
	writer := s.Client(t, kgo.TransactionalID(kafkatest.Name("id")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, writer.BeginTransaction())
	record := &kgo.Record{Topic: s.topic, Partition: home(t, outcome.Key()), Key: []byte(outcome.Key()), Value: value}
	require.NoError(t, writer.ProduceSync(t.Context(), record).FirstErr())
	require.NoError(t, writer.EndTransaction(t.Context(), kgo.TryAbort))
	found, _ := s.of(t, "ORD-1", outcome.Key())
	require.Empty(t, found)
}

func TestOutcomesOfATopicThatIsNotThere(t *testing.T) {
	t.Parallel()
	s := open(t)
	_, err := outcomes.Of(t.Context(), s.client, kafkatest.Name("nowhere"), "ORD-1", nil, func(int64, int64) {})
	require.ErrorIs(t, err, kerr.UnknownTopicOrPartition)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = outcomes.Of(ctx, s.client, s.topic, "ORD-1", nil, func(int64, int64) {})
	require.ErrorIs(t, err, context.Canceled)
}
