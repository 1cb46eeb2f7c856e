package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
)

// writing is one record on its way into one of our topics.
type writing struct {
	journal *journal
	// condition is the topic's.
	condition *condition
	// smaller are what to write instead, one after the other, when the topic does not take the record.
	smaller []func() *kgo.Record
	waits   *breaker.Backoff
	done    func(durable bool)

	mu                 sync.Mutex
	troubled, finished bool
}

// slowWrite is how long a write may take before it counts as trouble. The client goes on trying by itself,
// without an error, while brokers are away or too few replicas are in sync.
const slowWrite = 10 * time.Second

// produce writes until Kafka has the record on all replicas, or ctx ends, and tells done which. It does not
// wait.
func (w *writing) produce(ctx context.Context, record *kgo.Record) {
	slow := time.AfterFunc(slowWrite, func() {
		w.trouble(fmt.Errorf("writing to topic %s: not done after %s", record.Topic, slowWrite))
	})
	client := w.journal.writer()
	client.Produce(ctx, record, func(_ *kgo.Record, err error) {
		slow.Stop()
		switch {
		case err == nil:
			w.finish(true)
			return
		case ctx.Err() != nil:
			w.finish(false)
			return
		}
		w.journal.consumer.metrics.writeFailures.WithLabelValues(record.Topic).Inc()
		if errors.Is(err, kerr.MessageTooLarge) && len(w.smaller) > 0 {
			smaller := w.smaller[0]
			w.smaller = w.smaller[1:]
			w.produce(ctx, smaller())
			return
		}
		if errors.Is(err, kerr.UnknownTopicID) {
			w.journal.renew(client)
		}
		w.trouble(fmt.Errorf("writing to topic %s: %w", record.Topic, err))
		if w.waits == nil {
			w.waits = w.journal.consumer.newBackoff()
		}
		timer := time.NewTimer(w.waits.Next())
		go func() {
			defer timer.Stop()
			select {
			case <-timer.C:
				// A record that was produced cannot be produced again; a new one with its content can.
				w.produce(ctx, &kgo.Record{Topic: record.Topic, Key: record.Key, Value: record.Value, Headers: record.Headers})
			case <-ctx.Done():
				w.finish(false)
			}
		}()
	})
}

func (w *writing) trouble(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.finished:
	case w.troubled:
		w.condition.trouble(err)
	default:
		w.troubled = true
		w.condition.enter(err)
	}
}

func (w *writing) finish(durable bool) {
	w.mu.Lock()
	w.finished = true
	if w.troubled {
		w.condition.leave()
	}
	w.mu.Unlock()
	w.done(durable)
}
