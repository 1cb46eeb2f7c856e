package sessions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Gate holds the orders of one batch back until the table is fresh enough to judge them. All orders of the
// batch share one listing, which starts when the first of them waits.
type Gate struct {
	table   *Table
	once    sync.Once
	listing *listing
}

// Gate is taken after a batch of orders was read.
func (t *Table) Gate() *Gate { return &Gate{table: t} }

// Wait returns nil once the table has read past the end of the click topic as listed after the batch was read, or
// the context's error. For a Copartitioned table only the click partition of the order's own number counts, which
// must be followed. It holds no connection and no lock meanwhile.
func (g *Gate) Wait(ctx context.Context, partition int32) error {
	g.once.Do(func() { g.listing = g.table.lister.request() })
	listing := g.listing
	for {
		select {
		case <-listing.listed:
		case <-ctx.Done():
			return ctx.Err()
		}
		open := listing.fresh
		if g.table.config.Layout == Copartitioned {
			reached, listed := listing.reached[partition]
			if !listed {
				// The partition was not followed yet when the ends were listed.
				listing = g.table.lister.request()
				continue
			}
			open = reached
		}
		select {
		case <-open:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// relistEvery is how often the topic is listed when no order asks, so that added partitions are read and
// trouble is seen, and seen to end, before an order needs the table.
const relistEvery = 10 * time.Second

// list answers requests for listings, one at a time, until ctx ends.
func (t *Table) list(ctx context.Context) error {
	ticker := time.NewTicker(relistEvery)
	defer ticker.Stop()
	for {
		select {
		case <-t.lister.wanted:
		case <-ticker.C:
			t.lister.request()
			continue
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := t.answer(ctx, t.lister.take()); err != nil {
			return err
		}
	}
}

// answer lists the topic for those who wait, however often it takes. It fails when ctx ends or the table must be
// made anew.
func (t *Table) answer(ctx context.Context, wanted *listing) error {
	waits := newWaits()
	for {
		ends, err := t.listOnce(ctx)
		if err == nil {
			t.troubles.set(fitting, nil)
			t.troubles.set(listingEnds, nil)
			if t.progress.await(wanted, ends) {
				t.troubles.set(fetching, nil)
			}
			t.lister.done()
			return t.outdated()
		}
		var unfit unfitError
		if errors.As(err, &unfit) {
			t.troubles.set(fitting, err)
		} else {
			t.troubles.set(listingEnds, fmt.Errorf("listing the end of the click topic: %w", err))
		}
		select {
		case <-time.After(waits.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// listOnce lists the last stable offsets of the partitions that the table reads, after it has begun to read
// those that it should. The partitions are asked for anew each time: a click in a partition that was added a
// moment ago counts too.
func (t *Table) listOnce(ctx context.Context) (ends map[int32]int64, err error) {
	topic, err := t.describe(ctx)
	if err != nil {
		return nil, err
	}
	wanted := t.wanted(topic)
	if err := t.follow(ctx, wanted); err != nil {
		return nil, err
	}
	read := t.progress.positions()
	if ends, err = listOffsets(ctx, t.client, t.config.Topic, wanted, latest); err != nil {
		return nil, err
	}
	// A log does not get shorter. Its end would open the gate for clicks that the table has never seen.
	for _, partition := range slices.Sorted(maps.Keys(ends)) {
		if end := ends[partition]; end < read[partition] {
			return nil, fmt.Errorf("partition %d of topic %s ends at %d, before offset %d that was read already: "+
				"it lost records or was made anew; restart to rebuild the table from it", partition, t.config.Topic, end, read[partition])
		}
	}
	return ends, nil
}

// patience is how far behind the table may be, at least, before tombstones that it has not read are given up for
// lost. A topic that keeps its tombstones for less than this cannot promise an erasure to any reader.
const patience = 10 * time.Minute

// outdated is an error when the table has not been at the end of a partition for longer than tombstones live:
// one that it never read may be gone, and the click that it erased would come back.
func (t *Table) outdated() error {
	life := max(t.tombstones, patience)
	for partition, current := range t.progress.currents() {
		if age := time.Since(current); age > life {
			return fmt.Errorf("click table: partition %d of topic %s was not read up to its end for %s, and the topic keeps tombstones "+
				"for %s: a restart makes the table anew", partition, t.config.Topic, age.Round(time.Second), t.tombstones)
		}
	}
	return nil
}
