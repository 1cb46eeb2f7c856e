// Package extent reads a fixed part of a topic: what lies between two offsets of each partition, and then it is over.
package extent

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Extent is a part of a topic.
type Extent struct {
	Topic string
	// Partitions has a range for each partition that belongs to it.
	Partitions map[int32]Range
}

// Range is the offsets from one up to but not including another.
type Range struct{ From, To int64 }

// Whole is all that a topic holds now, up to the last stable offsets: what an open transaction has written is not
// there yet. A topic that does not exist is an error.
func Whole(ctx context.Context, client *kgo.Client, topic string) (Extent, error) {
	admin := kadm.NewClient(client)
	starts, err := listed(admin.ListStartOffsets(ctx, topic))
	if err != nil {
		return Extent{}, fmt.Errorf("where topic %s begins: %w", topic, err)
	}
	ends, err := listed(admin.ListCommittedOffsets(ctx, topic))
	if err != nil {
		return Extent{}, fmt.Errorf("where topic %s ends: %w", topic, err)
	}
	e := Extent{Topic: topic, Partitions: map[int32]Range{}}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(topic, end.Partition); ok {
			e.Partitions[end.Partition] = Range{From: min(start.Offset, end.Offset), To: end.Offset}
		}
	})
	return e, nil
}

// listed makes an error of any partition the error of the listing.
func listed(offsets kadm.ListedOffsets, err error) (kadm.ListedOffsets, error) {
	if err == nil {
		err = offsets.Error()
	}
	return offsets, err
}

// Offsets is how many offsets there are in the extent. Each holds at most one record.
func (e Extent) Offsets() int64 {
	var sum int64
	for _, r := range e.Partitions {
		sum += max(0, r.To-r.From)
	}
	return sum
}
