package replay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/schema"
)

// index is what the outcomes topic says of the orders of a replay. An order that it says nothing of takes some fifty
// bytes, others about three hundred. It is safe for concurrent use.
type index struct {
	mu     sync.RWMutex
	orders map[digest]*history
	// sent are the orders of which a record would be sent.
	sent map[digest]struct{}
}

// digest stands for an outcome's key: the first half of its SHA-256.
type digest [16]byte

func digestOf(key string) digest {
	sum := sha256.Sum256([]byte(key))
	return digest(sum[:])
}

// history is what became of one order.
type history struct {
	// latest is how it ended last.
	latest schema.Kind
	// acknowledged is set once CJ has acknowledged it, with that click from there, in that query, for that group.
	acknowledged bool
	click        string
	origin       schema.Reason
	query        [sha256.Size]byte
	group        string
}

func newIndex() *index { return &index{orders: map[digest]*history{}, sent: map[digest]struct{}{}} }

// expect makes the index take in an order.
func (i *index) expect(keys []digest) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, key := range keys {
		if _, known := i.orders[key]; !known {
			i.orders[key] = nil
		}
	}
}

// of is what became of an order, nil when nothing is known.
func (i *index) of(key digest) *history {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return i.orders[key]
}

// first tells whether it is asked for the first time about an order.
func (i *index) first(key digest) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	_, known := i.sent[key]
	i.sent[key] = struct{}{}
	return !known
}

// hasIt tells whether CJ has the order. One that was a duplicate is one that CJ has, though the outcome that said so may
// be gone.
func (h *history) hasIt() bool { return h != nil && (h.acknowledged || h.latest == schema.Duplicate) }

// read takes in an outcomes topic. Outcomes of one order stand in one partition, in the order in which they came.
// Records that are no outcomes are passed over; an outcome of a later version is an error, since what it says of an
// order must not be overlooked.
func (i *index) read(ctx context.Context, client *kgo.Client, outcomes extent.Extent, progress func(offsets int64)) error {
	return outcomes.Read(ctx, client, func(batch extent.Batch) error {
		for _, record := range batch.Records {
			if err := i.take(record); err != nil {
				return err
			}
		}
		progress(batch.Next - batch.From)
		return nil
	})
}

func (i *index) take(record *kgo.Record) error {
	key := digestOf(string(record.Key))
	i.mu.RLock()
	_, expected := i.orders[key]
	i.mu.RUnlock()
	if !expected {
		return nil
	}
	outcome, err := schema.DecodeOutcome(record.Value)
	if err != nil {
		return fmt.Errorf("%s[%d] at offset %d: %w", record.Topic, record.Partition, record.Offset, err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	known := i.orders[key]
	if known == nil {
		known = &history{}
		i.orders[key] = known
	}
	known.latest = outcome.Outcome
	if outcome.Outcome != schema.Acknowledged {
		return nil
	}
	// CJ keeps what it got first: only the same order with another click would differ, and the first one counts.
	if !known.acknowledged {
		known.acknowledged, known.click, known.origin = true, outcome.CJEvent, outcome.Reason
		if _, err := hex.Decode(known.query[:], []byte(outcome.QuerySHA256)); err != nil {
			return fmt.Errorf("%s[%d] at offset %d: query_sha256 is not a hash", record.Topic, record.Partition, record.Offset)
		}
	}
	known.group = outcome.Group
	return nil
}
