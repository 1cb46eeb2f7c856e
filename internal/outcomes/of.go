// Package outcomes finds outcomes in their topic.
package outcomes

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/schema"
)

// Of finds the outcomes of an order, oldest first. It reads the partitions where they lie if their keys are among the
// likely ones, and all others only where that finds nothing: the key has the enterprise and the action in it, which may
// have been others when the order was sent. progress is told how many offsets of how many are read.
func Of(ctx context.Context, client *kgo.Client, topic, orderID string, likely []string, progress func(done, total int64)) ([]schema.OutcomeRecord, error) {
	whole, err := extent.Whole(ctx, client, topic)
	if err != nil {
		return nil, err
	}
	// Our producer partitions as Java's does.
	partition, err := schema.NewPartitioner(schema.PartitionerMurmur2)
	if err != nil {
		return nil, err
	}
	near := extent.Extent{Topic: topic, Partitions: map[int32]extent.Range{}}
	for _, key := range likely {
		at := int32(partition([]byte(key), len(whole.Partitions)))
		near.Partitions[at] = whole.Partitions[at]
	}
	found, err := in(ctx, client, near, orderID, progress)
	if err != nil || len(found) > 0 {
		return found, err
	}
	maps.DeleteFunc(whole.Partitions, func(at int32, _ extent.Range) bool {
		_, read := near.Partitions[at]
		return read
	})
	return in(ctx, client, whole, orderID, progress)
}

// in finds the outcomes of an order in a part of the topic.
func in(ctx context.Context, client *kgo.Client, part extent.Extent, orderID string, progress func(done, total int64)) ([]schema.OutcomeRecord, error) {
	var mu sync.Mutex
	var found []schema.OutcomeRecord
	var done int64
	err := part.Read(ctx, client, func(batch extent.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		done += batch.Next - batch.From
		progress(done, part.Offsets())
		for _, record := range batch.Records {
			// The key ends with the order id: decoding every value would take ten times as long.
			if !strings.HasSuffix(string(record.Key), "|"+orderID) {
				continue
			}
			// A record that is no outcome of ours is not what somebody asks about.
			if outcome, err := schema.DecodeOutcome(record.Value); err == nil && outcome.OrderID == orderID {
				found = append(found, outcome)
			}
		}
		return nil
	})
	slices.SortStableFunc(found, func(a, b schema.OutcomeRecord) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return found, err
}
