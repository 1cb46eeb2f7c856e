package sessions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Follow makes a Copartitioned table read the click partitions of order partitions that came to this instance.
// Their orders wait at the Gate until it has. A Global table reads every partition anyway.
func (t *Table) Follow(partitions ...int32) {
	t.ours.add(partitions)
	t.lister.request()
}

// Unfollow is the end of Follow: nothing is read of the partitions any more. What was read stays in the store,
// for the case that they come back.
func (t *Table) Unfollow(partitions ...int32) {
	if t.config.Layout == Global {
		return
	}
	t.assigning.Lock()
	defer t.assigning.Unlock()
	t.ours.remove(partitions)
	for _, partition := range partitions {
		t.progress.stop(partition)
	}
	t.intents.put(func(client *kgo.Client) []group {
		client.RemoveConsumePartitions(map[string][]int32{t.config.Topic: partitions})
		return nil
	})
}

// wanted are the partitions to read.
func (t *Table) wanted(topic described) []int32 {
	if t.config.Layout == Global {
		return slices.Sorted(maps.Keys(topic.leaders))
	}
	return t.ours.list()
}

// follow begins to read the partitions that are not read yet: all of them at first, others later.
func (t *Table) follow(ctx context.Context, wanted []int32) error {
	var unknown []int32
	follows := t.progress.follows()
	for _, partition := range wanted {
		switch goesOn, known := follows[partition]; {
		case !known:
			unknown = append(unknown, partition)
		case !goesOn:
			return fmt.Errorf("partition %d came back while its clicks were still being put away", partition)
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	starts, err := listOffsets(ctx, t.client, t.config.Topic, unknown, earliest)
	if err != nil {
		return err
	}
	ends, err := listOffsets(ctx, t.client, t.config.Topic, unknown, latest)
	if err != nil {
		return err
	}
	if err := t.dropUntrusted(unknown, ends, len(follows) > 0); err != nil {
		return err
	}
	t.assigning.Lock()
	defer t.assigning.Unlock()
	from := map[int32]kgo.Offset{}
	var readings []*reading
	for _, partition := range unknown {
		if t.config.Layout == Copartitioned && !t.ours.has(partition) {
			// It went while its ends were being asked for.
			continue
		}
		at := t.store.Checkpoint(partition)
		if at.Current.IsZero() {
			at = Checkpoint{Next: starts[partition], Current: time.Now()}
		}
		// What retention removed while we were away is in no table any more.
		at.Next = max(at.Next, starts[partition])
		if r := t.progress.start(partition, at); r != nil {
			readings = append(readings, r)
			from[partition] = kgo.NewOffset().At(at.Next)
		}
	}
	t.intents.put(func(client *kgo.Client) []group {
		client.AddConsumePartitions(map[string]map[int32]kgo.Offset{t.config.Topic: from})
		t.progress.feed(readings)
		// The reader must know of a partition that has no news, to keep its checkpoint's date.
		groups := make([]group, 0, len(from))
		for partition, at := range from {
			groups = append(groups, group{partition: partition, next: at.EpochOffset().Offset})
		}
		return groups
	})
	return nil
}

// dropUntrusted drops what the store has of partitions whose checkpoint cannot be gone on from. In a Global store
// that drops everything, which must not happen under a table that is being read already.
func (t *Table) dropUntrusted(partitions []int32, ends map[int32]int64, inUse bool) error {
	for _, partition := range partitions {
		at := t.store.Checkpoint(partition)
		if at.Current.IsZero() {
			continue
		}
		var why string
		switch age := time.Since(at.Current); {
		case age >= t.tombstones:
			why = fmt.Sprintf("was last read up to its end %s ago, and the topic keeps tombstones for %s: erased clicks would come back",
				age.Round(time.Second), t.tombstones)
		case at.Next > ends[partition]:
			why = fmt.Sprintf("was read up to offset %d and ends at %d: it lost records", at.Next, ends[partition])
		default:
			continue
		}
		if inUse && t.config.Layout == Global {
			return fmt.Errorf("partition %d %s; restart to rebuild the table", partition, why)
		}
		t.config.Log.Warn("click table is made anew from the topic", "topic", t.config.Topic, "partition", partition, "why", "the partition "+why)
		if err := t.store.Drop(partition); err != nil {
			return err
		}
	}
	return nil
}
