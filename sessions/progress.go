package sessions

import (
	"maps"
	"sync"
	"time"
)

// progress knows how far each partition of the click topic has been read, and which listings wait for more.
// A position is the offset of the next record that could still matter; control records and gaps count.
type progress struct {
	mu       sync.Mutex
	position map[int32]int64
	waiting  []*listing
	// advances counts movements, so that the tail probe can tell a table that stands still.
	advances uint64
}

// listing is the end of the click topic at one moment, and the wait for the table to get there.
type listing struct {
	// ends has the partitions that are not yet read up to their listed end.
	ends map[int32]int64
	// fresh is closed when none is left.
	fresh chan struct{}
	// since is when it was asked for.
	since time.Time
}

func newListing() *listing { return &listing{fresh: make(chan struct{}), since: time.Now()} }

func newProgress() *progress { return &progress{position: map[int32]int64{}} }

// start sets a partition's first position; it reports false when the partition is known already.
func (p *progress) start(partition int32, offset int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, known := p.position[partition]; known {
		return false
	}
	p.position[partition] = offset
	return true
}

// advance moves a partition forward and opens what has waited for it. It never moves back.
func (p *progress) advance(partition int32, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if next <= p.position[partition] {
		return
	}
	p.position[partition] = next
	p.advances++
	left := p.waiting[:0]
	for _, l := range p.waiting {
		if end, lacks := l.ends[partition]; lacks && next >= end {
			delete(l.ends, partition)
		}
		if len(l.ends) == 0 {
			close(l.fresh)
			continue
		}
		left = append(left, l)
	}
	clear(p.waiting[len(left):])
	p.waiting = left
}

// await opens the listing once every partition has been read up to its end, and tells whether that is so now.
func (p *progress) await(l *listing, ends map[int32]int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.ends = map[int32]int64{}
	for partition, end := range ends {
		if p.position[partition] < end {
			l.ends[partition] = end
		}
	}
	if len(l.ends) == 0 {
		close(l.fresh)
		return true
	}
	p.waiting = append(p.waiting, l)
	return false
}

// lacking is the position of every partition that a listing waits for, and the count of advances so far.
func (p *progress) lacking() (positions map[int32]int64, advances uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	positions = map[int32]int64{}
	for _, l := range p.waiting {
		for partition := range l.ends {
			positions[partition] = p.position[partition]
		}
	}
	return positions, p.advances
}

// positions is how far each partition has been read.
func (p *progress) positions() map[int32]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.position)
}

// waitingSince is when the oldest listing was asked for that the table has not caught up with.
func (p *progress) waitingSince() (since time.Time, waiting bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return time.Time{}, false
	}
	return p.waiting[0].since, true
}

// behind is how many offsets the table is short of the latest listing.
func (p *progress) behind() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) == 0 {
		return 0
	}
	var offsets int64
	for partition, end := range p.waiting[len(p.waiting)-1].ends {
		offsets += end - p.position[partition]
	}
	return offsets
}

// reads tells whether the partition is being read.
func (p *progress) reads(partition int32) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, known := p.position[partition]
	return known
}
