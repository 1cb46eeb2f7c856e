package sessions

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fetch hands what Kafka has of our partitions to the readers, until ctx ends.
func (t *Table) fetch(ctx context.Context) error {
	for {
		due, polling, cancel := t.intents.take(ctx)
		for _, carryOut := range due {
			for _, g := range carryOut(t.client) {
				t.hand(ctx, g)
			}
		}
		fetches := t.client.PollFetches(polling)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.note(fetches)
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			next := p.LogStartOffset
			if n := len(p.Records); n > 0 {
				next = max(next, p.Records[n-1].Offset+1)
			}
			t.hand(ctx, group{partition: p.Partition, records: p.Records, next: next})
		})
	}
}

// group is what one fetch brought of one partition.
type group struct {
	partition int32
	reading   *reading
	records   []*kgo.Record
	// next is the offset behind the records, or where the partition's log begins now, if that is further on.
	next int64
}

// hand gives a group to the reader of its partition. It waits for one that has enough to do.
func (t *Table) hand(ctx context.Context, g group) {
	if g.reading = t.progress.take(g.partition); g.reading == nil {
		return
	}
	select {
	case t.readers[int(g.partition)%len(t.readers)].groups <- g:
	case <-ctx.Done():
	}
}

// note keeps trouble with fetching for Ready: a table that cannot read looks like one with no new clicks.
func (t *Table) note(fetches kgo.Fetches) {
	var trouble error
	interrupted := false
	fetches.EachError(func(topic string, partition int32, err error) {
		if errors.Is(err, context.Canceled) {
			interrupted = true
			return
		}
		trouble = fmt.Errorf("reading clicks from %s[%d]: %w", topic, partition, err)
	})
	if trouble == nil && interrupted {
		return
	}
	if t.troubles.set(fetching, trouble) && trouble != nil {
		t.config.Log.Warn("click table cannot read; orders wait for it", "error", trouble)
	}
}
