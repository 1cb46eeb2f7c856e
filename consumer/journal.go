package consumer

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// journal writes outcomes and dead letters. An offset counts as done only when they are durable, so a write
// is tried until it succeeds or the partition is given up; meanwhile the order is not sent again.
type journal struct {
	consumer *Consumer
	client   *kgo.Client
}

func newJournal(ctx context.Context, c *Consumer) (*journal, error) {
	limits := largestRecords(ctx, c)
	client, err := kgo.NewClient(append(slices.Clone(c.config.Client),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// The wait is on the way of every order, but a worker is not held by it.
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if limit, known := limits[topic]; known {
				return limit
			}
			return 1_048_588 // Kafka's own default for max.message.bytes
		}),
		// A dead letter's outcome is produced while the dead letter still counts as buffered: at the client's
		// bound that would wait for itself.
		kgo.MaxBufferedRecords(2*max(c.config.MaxPending, 1)),
	)...)
	if err != nil {
		return nil, err
	}
	return &journal{consumer: c, client: client}, nil
}

// largestRecords is what our topics take. The dead-letter topic must take records as large as the orders' topic
// does, and a batch above a topic's limit would be refused with every record in it.
func largestRecords(ctx context.Context, c *Consumer) map[string]int32 {
	limits := map[string]int32{}
	configs, err := kadm.NewClient(c.client).DescribeTopicConfigs(ctx, c.config.DeadLetterTopic, c.config.OutcomesTopic)
	if err != nil {
		return limits
	}
	for _, topic := range configs {
		for _, config := range topic.Configs {
			if limit, err := strconv.ParseInt(config.MaybeValue(), 10, 32); err == nil && config.Key == "max.message.bytes" {
				limits[topic.Name] = int32(limit)
			}
		}
	}
	return limits
}

func (j *journal) close() { j.client.Close() }

// outcome writes how an order ended and tells done whether that is durable.
func (j *journal) outcome(ctx context.Context, outcome schema.OutcomeRecord, done func(durable bool)) {
	// Where the order's own texts are too long for the topic, its place tells which order it was.
	nameless := func() *kgo.Record {
		short := outcome
		short.OrderID, short.EnterpriseID, short.Action, short.SessionID = "", "", "", ""
		return j.outcomeRecord(short)
	}
	w := &writing{journal: j, condition: &j.consumer.health.outcomes, smaller: []func() *kgo.Record{nameless}, done: done}
	w.produce(ctx, j.outcomeRecord(outcome))
}

func (j *journal) outcomeRecord(outcome schema.OutcomeRecord) *kgo.Record {
	value, err := outcome.MarshalJSON()
	if err != nil {
		// Every field is ours or valid UTF-8 that was decoded from the order: this is a bug, and silence
		// would be a stuck offset.
		panic(fmt.Sprintf("outcome of %s[%d]@%d: %v", outcome.Topic, outcome.Partition, outcome.Offset, err))
	}
	return &kgo.Record{Topic: j.consumer.config.OutcomesTopic, Key: []byte(outcome.Key()), Value: value}
}

// deadLetter writes the order's original bytes with the reason, and tells done whether that is durable.
func (j *journal) deadLetter(ctx context.Context, record *kgo.Record, outcome schema.OutcomeRecord, cause error, done func(durable bool)) {
	letter := deadLetter{config: j.consumer.config, record: record, outcome: outcome, cause: cause}
	w := &writing{journal: j, condition: &j.consumer.health.deadLetters, smaller: []func() *kgo.Record{letter.withoutValue, letter.bare}, done: done}
	w.produce(ctx, letter.whole())
}
