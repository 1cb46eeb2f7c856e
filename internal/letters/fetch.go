package letters

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/extent"
)

// near is how many offsets apart two records may be to be read in one go: less is read for nothing than it takes to
// ask once more.
const near = 1000

// fetch hands each record at these places to one call, those of one partition in their order and all of them one after
// another. Places where nothing is any more are left out.
func fetch(ctx context.Context, client *kgo.Client, topic string, places []Place, each func(*kgo.Record) error) error {
	wanted := map[Place]bool{}
	for _, at := range places {
		wanted[at] = true
	}
	var mu sync.Mutex
	for _, part := range stretches(topic, places) {
		err := part.Read(ctx, client, func(batch extent.Batch) error {
			mu.Lock()
			defer mu.Unlock()
			for _, record := range batch.Records {
				if !wanted[Place{topic, batch.Partition, record.Offset}] {
					continue
				}
				if err := each(record); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stretches are the parts of a topic in which all the places are, and little else. The first has the first stretch of
// each partition, the next one the second.
func stretches(topic string, places []Place) []extent.Extent {
	sorted := slices.SortedFunc(slices.Values(places), func(a, z Place) int {
		return cmp.Or(cmp.Compare(a.Partition, z.Partition), cmp.Compare(a.Offset, z.Offset))
	})
	var parts []extent.Extent
	nth := 0
	for i, at := range sorted {
		if i > 0 && sorted[i-1].Partition == at.Partition {
			if last := parts[nth].Partitions[at.Partition]; at.Offset-last.To < near {
				parts[nth].Partitions[at.Partition] = extent.Range{From: last.From, To: at.Offset + 1}
				continue
			}
			nth++
		} else {
			nth = 0
		}
		if nth == len(parts) {
			parts = append(parts, extent.Extent{Topic: topic, Partitions: map[int32]extent.Range{}})
		}
		parts[nth].Partitions[at.Partition] = extent.Range{From: at.Offset, To: at.Offset + 1}
	}
	return parts
}

// standing is how letters stand now; those that are gone are left out. A letter's note is behind it in its partition,
// so nothing before the first of them needs to be read, and none but these is kept: a process that has orders to send
// has no memory to spare for a million letters.
func standing(ctx context.Context, client *kgo.Client, topic string, chosen []Letter) (map[Place]Letter, error) {
	whole, err := extent.Whole(ctx, client, topic)
	if err != nil {
		return nil, err
	}
	wanted, from := map[Place]bool{}, map[int32]int64{}
	for _, l := range chosen {
		wanted[l.Place] = true
		if first, is := from[l.Place.Partition]; !is || l.Place.Offset < first {
			from[l.Place.Partition] = l.Place.Offset
		}
	}
	part := extent.Extent{Topic: topic, Partitions: map[int32]extent.Range{}}
	for partition, first := range from {
		if r, is := whole.Partitions[partition]; is {
			part.Partitions[partition] = extent.Range{From: max(r.From, first), To: r.To}
		}
	}
	now, notes := map[Place]Letter{}, map[Place]*Redriven{}
	var mu sync.Mutex
	err = part.Read(ctx, client, func(batch extent.Batch) error {
		mu.Lock()
		defer mu.Unlock()
		for _, record := range batch.Records {
			letter, note, err := parse(record)
			switch {
			case err != nil || !wanted[letter.Place]:
			case note != nil:
				notes[letter.Place] = note
			default:
				now[letter.Place] = letter
			}
		}
		return nil
	})
	for place, letter := range now {
		letter.Redriven = notes[place]
		now[place] = letter
	}
	return now, err
}
