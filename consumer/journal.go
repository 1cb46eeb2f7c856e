package consumer

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// journal writes outcomes and dead letters. An offset counts as done only when they are durable, so a write
// is tried until it succeeds or the partition is given up; meanwhile the order is not sent again.
type journal struct {
	consumer *Consumer
	options  []kgo.Opt
	limits   *limits
	// measuring is held while the limits are asked for.
	measuring sync.Mutex

	mu     sync.Mutex
	client *kgo.Client
	closed bool
	// old counts the clients before that have not ended.
	old sync.WaitGroup
}

func newJournal(ctx context.Context, c *Consumer) (*journal, error) {
	limits := &limits{consumer: c, bytes: map[string]int32{}}
	limits.ask(ctx)
	options := append(slices.Clone(c.config.Client),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		// The wait is on the way of every order, but a worker is not held by it.
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.ProducerBatchMaxBytesFn(limits.of),
		// A dead letter's outcome is produced while the dead letter still counts as buffered: at the client's
		// bound that would wait for itself.
		kgo.MaxBufferedRecords(2*max(c.config.MaxPending, 1)),
	)
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, err
	}
	return &journal{consumer: c, options: options, limits: limits, client: client}, nil
}

// writer is the client to write with.
func (j *journal) writer() *kgo.Client {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.client
}

// flushGrace is how long what a client has under way for other topics may take before it ends.
const flushGrace = 5 * time.Second

// renew replaces a client for which a topic is gone for good, as it was made anew, or takes more than the client was told.
// Forgetting the topic would not do: a client goes on with its sequence numbers, and may have written some records to the new topic before it noticed, which
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

// measure asks the topics what they take now, and tells whether a record that was too large for the client before is
// worth another try as it is: a client goes by what it was told at first. It waits for the answer.
func (j *journal) measure(ctx context.Context, before *kgo.Client) bool {
	// Whoever comes second must find the new client, or it would give up a part of its record for nothing.
	j.measuring.Lock()
	defer j.measuring.Unlock()
	if j.limits.ask(ctx) {
		j.renew(j.writer())
	}
	return j.writer() != before
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
	whole := func() *kgo.Record { return j.outcomeRecord(outcome) }
	w := &writing{journal: j, condition: &j.consumer.health.outcomes, forms: []func() *kgo.Record{whole, nameless}, done: done}
	w.produce(ctx)
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
	forms := []func() *kgo.Record{letter.whole, letter.withoutValue, letter.bare}
	w := &writing{journal: j, condition: &j.consumer.health.deadLetters, forms: forms, done: done}
	w.produce(ctx)
}
