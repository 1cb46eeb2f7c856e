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
	// forms make the record: whole, and then ever smaller ones for a topic that does not take that. form is the one that
	// is being written.
	forms []func() *kgo.Record
	form  int
	waits *breaker.Backoff
	done  func(durable bool)

	mu                 sync.Mutex
	troubled, finished bool
}

// slowWrite is how long a write may take before it counts as trouble. The client goes on trying by itself,
// without an error, while brokers are away or too few replicas are in sync.
const slowWrite = 10 * time.Second

// produce writes until Kafka has the record on all replicas, or ctx ends, and tells done which. It does not
// wait.
func (w *writing) produce(ctx context.Context) {
	record := w.forms[w.form]()
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
		err = fmt.Errorf("writing to topic %s: %w", record.Topic, err)
		if errors.Is(err, kerr.MessageTooLarge) {
			go w.refit(ctx, client, err)
			return
		}
		if errors.Is(err, kerr.UnknownTopicID) {
			w.journal.renew(client)
		}
		w.again(ctx, err)
	})
}

// refit writes what was too large once more where the topic takes more by now, and in a smaller form otherwise. That not
// even the smallest fits is the topic's fault and no record's: when it is mended, the whole one does.
func (w *writing) refit(ctx context.Context, client *kgo.Client, err error) {
	if w.journal.measure(ctx, client) {
		w.form = 0
		w.produce(ctx)
		return
	}
	if w.form++; w.form < len(w.forms) {
		w.produce(ctx)
		return
	}
	w.form = 0
	w.again(ctx, err)
}

// again writes the record once more, after a while.
func (w *writing) again(ctx context.Context, err error) {
	w.trouble(err)
	if w.waits == nil {
		w.waits = w.journal.consumer.newBackoff()
	}
	timer := time.NewTimer(w.waits.Next())
	go func() {
		defer timer.Stop()
		select {
		case <-timer.C:
			w.produce(ctx)
		case <-ctx.Done():
			w.finish(false)
		}
	}()
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
