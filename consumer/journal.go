package consumer

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// journal writes outcomes and dead letters. An offset counts as done only when they are durable, so a write
// is tried until it succeeds or the partition is given up; meanwhile the order is not sent again.
type journal struct {
	consumer *Consumer
	options  []kgo.Opt

	mu     sync.Mutex
	client *kgo.Client
	closed bool
	// old counts the clients before that have not ended.
	old sync.WaitGroup
}

func newJournal(ctx context.Context, c *Consumer) (*journal, error) {
	limits := largestRecords(ctx, c)
	options := append(slices.Clone(c.config.Client),
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
	)
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	return &journal{consumer: c, options: options, client: client}, nil
}

// writer is the client to write with.
func (j *journal) writer() *kgo.Client {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.client
}

// flushGrace is how long what a client has under way for other topics may take before it ends.
const flushGrace = 5 * time.Second

// renew replaces a client for which a topic is gone for good, as it was made anew. Forgetting the topic would not do: a
// client goes on with its sequence numbers, and may have written some records to the new topic before it noticed, which
// makes brokers take others for those.
func (j *journal) renew(before *kgo.Client) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.closed || j.client != before {
		return
	}
	client, err := kgo.NewClient(j.options...)
	if err != nil {
		j.consumer.config.Log.Warn("a new client for outcomes and dead letters", "error", err)
		return
	}
	j.client = client
	j.old.Go(func() {
		flushing, cancel := context.WithTimeout(context.Background(), flushGrace)
		defer cancel()
		_ = before.Flush(flushing) // what is left fails and is written by the new client
		before.Close()
	})
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

func (j *journal) close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.client.Close()
	j.old.Wait()
}

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
