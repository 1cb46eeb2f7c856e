package dryrun

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// samples is how many offsets at the end of each partition are looked at.
const samples = 3

// madeUp stands in for the click of an order that would be joined.
const madeUp = "0000000000000000"

// latest hands over the latest records of a topic.
func (k kafka) latest(ctx context.Context, topic string, each func(*kgo.Record)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	part, err := extent.Whole(ctx, k.client, topic)
	if err != nil {
		return err
	}
	for partition, r := range part.Partitions {
		part.Partitions[partition] = extent.Range{From: max(r.From, r.To-samples), To: r.To}
	}
	var mu sync.Mutex
	return part.Read(ctx, k.client, func(b extent.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, record := range b.Records {
			each(record)
		}
		return nil
	})
}

// tally is what came of samples: how many there were, how many were wrong, and the first that was.
type tally struct {
	all, wrong int
	first      error
}

func (t *tally) count(record *kgo.Record, err error) {
	t.all++
	if err != nil {
		t.wrong++
		if t.first == nil {
			t.first = fmt.Errorf("partition %d, offset %d: %w", record.Partition, record.Offset, err)
		}
	}
}

// check makes all wrong a failure, since it is the set-up then, and some a warning.
func (t *tally) check(name, topic, right string) Check {
	switch {
	case t.all == 0:
		return warn(name, "%s holds no record at its end yet: whether they can be read is not known", topic)
	case t.wrong == t.all:
		return failed(name, fmt.Errorf("none of the latest %d records of %s %s: %w", t.all, topic, right, t.first))
	case t.wrong > 0:
		return warn(name, "%d of the latest %d records of %s %s; %v", t.all-t.wrong, t.all, topic, right, t.first)
	}
	return ok(name, "all of the latest %d records of %s %s", t.all, topic, right)
}

// orders reads some, and makes of each what CJ would get if it had a click.
func (k kafka) orders(ctx context.Context, decode schema.OrderDecoder) Check {
	const name = "orders"
	builder, err := postback.NewBuilder(k.config.CJ.Advertiser())
	if err != nil {
		return failed(name, fmt.Errorf("cj: %w", err))
	}
	var t tally
	err = k.latest(ctx, k.config.Orders.Topic, func(record *kgo.Record) {
		order, err := decode(ctx, record.Value)
		if err == nil {
			_, err = builder.Build(order, madeUp, time.Now())
		}
		t.count(record, err)
	})
	if err != nil {
		return failed(name, unreadable(k.config.Orders.Topic, err))
	}
	return t.check(name, k.config.Orders.Topic, "can be sent")
}

// clicks reads some.
func (k kafka) clicks(ctx context.Context, decode schema.ClickDecoder) Check {
	const name = "clicks"
	var t tally
	err := k.latest(ctx, k.config.Clicks.Topic, func(record *kgo.Record) {
		if record.Value == nil {
			return // a tombstone
		}
		_, err := decode(ctx, record.Value, record.Timestamp)
		t.count(record, err)
	})
	if err != nil {
		return failed(name, unreadable(k.config.Clicks.Topic, err))
	}
	return t.check(name, k.config.Clicks.Topic, "are clicks")
}

func unreadable(topic string, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("topic %s could not be read within %s", topic, patience)
	}
	return fmt.Errorf("topic %s: %w", topic, err)
}
