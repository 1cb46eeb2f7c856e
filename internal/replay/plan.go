package replay

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/cjrelay/cjrelay/internal/extent"
)

// Bounds say which part of the orders is meant.
type Bounds struct {
	Scenario Scenario
	// Partitions are those that are meant, all when there is none.
	Partitions []int32
	// UntilTime and UntilOffset end each partition before the first record of that time, and before that offset.
	// A zero time and an offset below zero mean no such end.
	UntilTime   time.Time
	UntilOffset int64
}

// Plan is a part of the orders with fixed ends.
type Plan struct {
	Topic string
	// Ranges has every partition of the topic; those with nothing to do begin where they end. None goes beyond where the
	// live group stands: what is there it sends itself.
	Ranges map[int32]extent.Range
	// Live is where the live group stands, for the partitions of which it has an offset.
	Live map[int32]int64
	// Capped are the partitions that would have gone further without the live group.
	Capped []int32
}

// Resolve fixes the bounds as the topic, and the live group of that name, are now.
func Resolve(ctx context.Context, admin *kadm.Client, topic, live string, b Bounds) (Plan, error) {
	logs, err := describe(ctx, admin, topic, live, b)
	if err != nil {
		return Plan{}, err
	}
	for _, partition := range b.Partitions {
		if _, there := logs[partition]; !there {
			return Plan{}, fmt.Errorf("topic %s has no partition %d: it has %d, from 0 on", topic, partition, len(logs))
		}
	}
	p := Plan{Topic: topic, Ranges: map[int32]extent.Range{}, Live: map[int32]int64{}}
	for _, partition := range slices.Sorted(maps.Keys(logs)) {
		in := logs[partition]
		if in.committed >= 0 {
			p.Live[partition] = in.committed
		}
		p.Ranges[partition] = extent.Range{From: in.end, To: in.end}
		if len(b.Partitions) > 0 && !slices.Contains(b.Partitions, partition) {
			continue
		}
		from, has, err := b.Scenario.begin(partition, in)
		if err != nil {
			return Plan{}, err
		}
		if !has {
			continue
		}
		until := min(in.end, in.until)
		if b.UntilOffset >= 0 {
			until = min(until, b.UntilOffset)
		}
		if in.committed >= 0 && in.committed < until && from < until {
			until = in.committed
			p.Capped = append(p.Capped, partition)
		}
		until = max(until, from)
		p.Ranges[partition] = extent.Range{From: from, To: until}
	}
	return p, nil
}

// describe asks for all that the bounds may depend on.
func describe(ctx context.Context, admin *kadm.Client, topic, live string, b Bounds) (map[int32]log, error) {
	ask := func(what string, list func() (kadm.ListedOffsets, error)) (kadm.ListedOffsets, error) {
		offsets, err := list()
		if err == nil {
			err = offsets.Error()
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("orders.topic %q does not exist: check the name, or make it with `cjrelay topics`", topic)
		}
		if err != nil {
			return nil, fmt.Errorf("asking where topic %s %s: %w", topic, what, err)
		}
		return offsets, nil
	}
	starts, err := ask("begins", func() (kadm.ListedOffsets, error) { return admin.ListStartOffsets(ctx, topic) })
	if err != nil {
		return nil, err
	}
	ends, err := ask("ends", func() (kadm.ListedOffsets, error) { return admin.ListCommittedOffsets(ctx, topic) })
	if err != nil {
		return nil, err
	}
	var ats, untils kadm.ListedOffsets
	if b.Scenario.kind == toDatetime {
		if ats, err = ask("is at a time", func() (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, b.Scenario.at.UnixMilli(), topic)
		}); err != nil {
			return nil, err
		}
	}
	if !b.UntilTime.IsZero() {
		if untils, err = ask("is at a time", func() (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, b.UntilTime.UnixMilli(), topic)
		}); err != nil {
			return nil, err
		}
	}
	committed, err := offsetsOf(ctx, admin, live, topic)
	if err != nil {
		return nil, err
	}
	logs := map[int32]log{}
	ends.Each(func(end kadm.ListedOffset) {
		in := log{start: lookup(starts, topic, end.Partition, 0), end: end.Offset, committed: -1}
		in.at = lookup(ats, topic, end.Partition, end.Offset)
		in.until = lookup(untils, topic, end.Partition, end.Offset)
		if at, ok := committed[end.Partition]; ok {
			in.committed = at.At
		}
		logs[end.Partition] = in
	})
	return logs, nil
}

// offsetsOf are a group's offsets of a topic. A group that does not exist has none.
func offsetsOf(ctx context.Context, admin *kadm.Client, group, topic string) (map[int32]kadm.Offset, error) {
	responses, err := admin.FetchOffsetsForTopics(ctx, group, topic)
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return nil, fmt.Errorf("asking for the offsets of group %s: %w", group, err)
	}
	offsets := map[int32]kadm.Offset{}
	for partition, response := range responses[topic] {
		if response.Err != nil {
			return nil, fmt.Errorf("asking for the offset of group %s in partition %d: %w", group, partition, response.Err)
		}
		if response.At >= 0 {
			offsets[partition] = response.Offset
		}
	}
	return offsets, nil
}

// extent is what is to be read.
func (p Plan) extent() extent.Extent { return extent.Extent{Topic: p.Topic, Partitions: p.Ranges} }
