package demo

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// till is the shop's side of Kafka: it writes clicks and orders, and knows where each order went.
type till struct {
	config config.Config
	client *kgo.Client

	mu     sync.Mutex
	places []place
	// produced is how many orders Kafka has.
	produced int
	err      error
}

func newTill(cfg config.Config, orders int) (*till, error) {
	client, err := kgo.NewClient(append(relay.Kafka(cfg.Kafka), kgo.ProducerLinger(0))...)
	if err != nil {
		return nil, err
	}
	return &till{config: cfg, client: client, places: make([]place, orders)}, nil
}

func (t *till) close() { t.client.Close() }

// serve writes the clicks of shoppers and then their orders. Whatever an order's clicks are, Kafka has them
// before the order, so that the truth about it does not depend on who is faster.
func (t *till) serve(ctx context.Context, first int, shoppers []*shopper) error {
	var clicks []*kgo.Record
	for _, s := range shoppers {
		clicks = append(clicks, s.clickRecords(t.config.Clicks.Topic)...)
	}
	if err := t.client.ProduceSync(ctx, clicks...).FirstErr(); err != nil {
		return fmt.Errorf("writing clicks: %w", err)
	}
	for k, s := range shoppers {
		t.client.Produce(ctx, s.orderRecord(t.config.Orders.Topic), func(record *kgo.Record, err error) {
			t.note(first+k, record, err)
		})
	}
	return nil
}

func (t *till) note(i int, record *kgo.Record, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.err = fmt.Errorf("writing an order: %w", err)
		return
	}
	t.produced++
	if i < len(t.places) {
		t.places[i] = place{record.Partition, record.Offset}
	}
}

// flush waits until Kafka has everything.
func (t *till) flush(ctx context.Context) error {
	if err := t.client.Flush(ctx); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// count is how many orders Kafka has.
func (t *till) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.produced
}
