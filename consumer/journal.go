package consumer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/schema"
)

// journal writes outcomes and dead letters. An offset counts as done only when they are durable, so a write
// is tried until it succeeds or the partition is given up; meanwhile the order is not sent again.
type journal struct {
	consumer *Consumer
	client   *kgo.Client
}

func newJournal(ctx context.Context, c *Consumer) (*journal, error) {
	limit := deadLetterLimit(ctx, c)
	client, err := kgo.NewClient(append(slices.Clone(c.config.Client),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// The wait is on the way of every order, but a worker is not held by it.
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchMaxBytesFn(func(topic string) int32 {
			if topic == c.config.DeadLetterTopic {
				return limit
			}
			return 1_000_012 // Kafka's own default for max.message.bytes
		}),
	)...)
	if err != nil {
		return nil, err
	}
	return &journal{consumer: c, client: client}, nil
}

// deadLetterLimit is the largest record that the dead-letter topic takes, since it must take records as
// large as the orders' topic does.
func deadLetterLimit(ctx context.Context, c *Consumer) int32 {
	const kafkaDefault = 1_048_588
	configs, err := kadm.NewClient(c.client).DescribeTopicConfigs(ctx, c.config.DeadLetterTopic)
	if err != nil {
		return kafkaDefault
	}
	for _, topic := range configs {
		for _, config := range topic.Configs {
			if limit, err := strconv.ParseInt(config.MaybeValue(), 10, 32); err == nil && config.Key == "max.message.bytes" {
				return int32(limit)
			}
		}
	}
	return kafkaDefault
}

func (j *journal) close() { j.client.Close() }

// outcome writes how an order ended and tells done whether that is durable.
func (j *journal) outcome(ctx context.Context, outcome schema.OutcomeRecord, done func(durable bool)) {
	value, err := outcome.MarshalJSON()
	if err != nil {
		// Every field is ours or valid UTF-8 that was decoded from the order: this is a bug, and silence
		// would be a stuck offset.
		panic(fmt.Sprintf("outcome of %s[%d]@%d: %v", outcome.Topic, outcome.Partition, outcome.Offset, err))
	}
	j.write(ctx, &kgo.Record{Topic: j.consumer.config.OutcomesTopic, Key: []byte(outcome.Key()), Value: value}, nil, done)
}

// deadLetter writes the order's original bytes with the reason, and tells done whether that is durable.
func (j *journal) deadLetter(ctx context.Context, record *kgo.Record, outcome schema.OutcomeRecord, cause error, done func(durable bool)) {
	text := ""
	if cause != nil {
		text = cause.Error()
	}
	headers := append(slices.Clone(record.Headers),
		header("cjrelay-reason", string(outcome.Reason)),
		header("cjrelay-error", text),
		header("cjrelay-topic", record.Topic),
		header("cjrelay-partition", strconv.Itoa(int(record.Partition))),
		header("cjrelay-offset", strconv.FormatInt(record.Offset, 10)),
		header("cjrelay-attempts", strconv.Itoa(outcome.Attempts)),
		header("cjrelay-status", strconv.Itoa(outcome.Status)),
		header("cjrelay-at", outcome.At.Format(time.RFC3339Nano)),
		header("cjrelay-version", j.consumer.config.Version),
	)
	j.write(ctx, &kgo.Record{Topic: j.consumer.config.DeadLetterTopic, Key: record.Key, Value: record.Value, Headers: headers}, nil, done)
}

func header(key, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: key, Value: []byte(value)}
}

// tooLarge strips a dead letter that its topic does not take, down to what tells which order it was.
func tooLarge(record *kgo.Record) *kgo.Record {
	sum := sha256.Sum256(record.Value)
	headers := slices.Clone(record.Headers)
	for i := range headers {
		if headers[i].Key == "cjrelay-reason" {
			headers[i] = header("cjrelay-reason", "too_large")
		}
	}
	headers = append(headers, header("cjrelay-sha256", hex.EncodeToString(sum[:])), header("cjrelay-bytes", strconv.Itoa(len(record.Value))))
	return &kgo.Record{Topic: record.Topic, Key: record.Key, Headers: headers}
}

// write produces the record until Kafka has it on all replicas, or ctx ends, and tells done which. It does not
// wait; waits is nil for a record that has not failed yet.
func (j *journal) write(ctx context.Context, record *kgo.Record, waits *breaker.Backoff, done func(durable bool)) {
	j.client.Produce(ctx, record, func(_ *kgo.Record, err error) {
		switch {
		case err == nil:
			j.consumer.health.writes.over()
			done(true)
			return
		case ctx.Err() != nil:
			done(false)
			return
		}
		j.consumer.metrics.writeFailures.WithLabelValues(record.Topic).Inc()
		// A record that was produced cannot be produced again; a new one with its content can.
		again := &kgo.Record{Topic: record.Topic, Key: record.Key, Value: record.Value, Headers: record.Headers}
		if errors.Is(err, kerr.MessageTooLarge) && record.Value != nil {
			again = tooLarge(record)
		}
		j.consumer.health.writes.trouble(fmt.Errorf("writing to topic %s: %w", record.Topic, err))
		if waits == nil {
			waits = j.consumer.newBackoff()
		}
		timer := time.NewTimer(waits.Next())
		go func() {
			defer timer.Stop()
			select {
			case <-timer.C:
				j.write(ctx, again, waits, done)
			case <-ctx.Done():
				done(false)
			}
		}()
	})
}
