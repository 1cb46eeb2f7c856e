package sessions

import (
	"sync"
	"time"
)

// progress knows how far each partition of the click topic has been read, and which listings wait for more.
type progress struct {
	mu       sync.Mutex
	readings map[int32]*reading
	waiting  []*listing
	// advances counts movements, so that the tail probe can tell a table that stands still.
	advances uint64
}

// reading is one partition from when it is followed until it no longer is. Like an order partition's life it
// is born anew each time, so that what comes late for an earlier one changes nothing.
type reading struct {
	partition int32
	// position is the offset of the next record that a lookup does not know yet. Control records and gaps count.
	position int64
	// current is a time at which everything that the partition held was below position.
	current time.Time
	// agreeing is how many keys in a row lie where the partitioner puts them.
	agreeing uint8
	// inHand counts groups of records that were fetched and are not committed.
	inHand int
	// fed is set when the client fetches for this reading. What comes before that was fetched for an earlier one.
	fed bool
	// stopped is set when the partition is not followed any more.
	stopped bool
}

func newProgress() *progress { return &progress{readings: map[int32]*reading{}} }

// start begins to read a partition behind a checkpoint. It does nothing, and returns nil, while an earlier reading of
// the same partition still has records in hand: they must not land among the new one's.
func (p *progress) start(partition int32, at Checkpoint) *reading {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.readings[partition] != nil {
		return nil
	}
	r := &reading{partition: partition, position: at.Next, current: at.Current, agreeing: at.Agreeing}
	p.readings[partition] = r
	return r
}

// feed notes that the client fetches for these readings from now on.
func (p *progress) feed(readings []*reading) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range readings {
		r.fed = true
	}
}

// stop ends the reading of a partition. Listings no longer wait for it.
func (p *progress) stop(partition int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.readings[partition]
	if r == nil {
		return
	}
	r.stopped = true
	p.bury(r)
	for _, l := range p.waiting {
		delete(l.lacks, partition)
	}
	p.open()
}

// bury removes a stopped reading that has nothing in hand.
func (p *progress) bury(r *reading) {
	if r.stopped && r.inHand == 0 && p.readings[r.partition] == r {
		delete(p.readings, r.partition)
	}
}

// take puts a group of records in hand. It is nil for a partition that is not followed any more, or that came back and
// the group was fetched before.
func (p *progress) take(partition int32) *reading {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.readings[partition]
	if r == nil || r.stopped || !r.fed {
		return nil
	}
	r.inHand++
	return r
}

// release takes what was committed out of hand and moves the partition on. It tells whether the reading goes on.
func (p *progress) release(r *reading, h hand) (goesOn bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r.inHand -= h.groups
	r.agreeing = h.agreeing
	p.moveTo(r, h.next)
	p.bury(r)
	return !r.stopped
}

// advance moves a partition on without records. It never moves back.
func (p *progress) advance(partition int32, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := p.readings[partition]; r != nil && r.inHand == 0 {
		p.moveTo(r, next)
	}
}

func (p *progress) moveTo(r *reading, next int64) {
	if next <= r.position || r.stopped {
		return
	}
	r.position = next
	p.advances++
	for _, l := range p.waiting {
		if end, lacks := l.lacks[r.partition]; lacks && next >= end {
			l.reach(r)
		}
	}
	p.open()
}

// open lets go of the listings that lack nothing.
func (p *progress) open() {
	left := p.waiting[:0]
	for _, l := range p.waiting {
		if len(l.lacks) == 0 {
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
	l.lacks, l.reached = map[int32]int64{}, map[int32]chan struct{}{}
	for partition, end := range ends {
		r := p.readings[partition]
		if r == nil || r.stopped {
			continue
		}
		l.lacks[partition], l.reached[partition] = end, make(chan struct{})
		if r.position >= end {
			l.reach(r)
		}
	}
	close(l.listed)
	fresh := len(l.lacks) == 0
	p.waiting = append(p.waiting, l)
	p.open()
	return fresh
}

// lacking is the position of every partition that a listing waits for, and the count of advances so far. A
// partition with records in hand is not among them: those were read, whatever has become of them in the log.
func (p *progress) lacking() (positions map[int32]int64, advances uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	positions = map[int32]int64{}
	for _, l := range p.waiting {
		for partition := range l.lacks {
			if r := p.readings[partition]; r != nil && r.inHand == 0 {
				positions[partition] = r.position
			}
		}
	}
	return positions, p.advances
}

// moreToCome tells whether a listing waits for more of one of these partitions than has been fetched.
func (p *progress) moreToCome(hands map[*reading]hand) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.waiting {
		for r, h := range hands {
			if end, lacks := l.lacks[r.partition]; lacks && h.groups > 0 && h.next < end {
				return true
			}
		}
	}
	return false
}

// positions is how far each partition has been read.
func (p *progress) positions() map[int32]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	positions := map[int32]int64{}
	for partition, r := range p.readings {
		if !r.stopped {
			positions[partition] = r.position
		}
	}
	return positions
}

// currents is when each partition was last known to be read up to its end.
func (p *progress) currents() map[int32]time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	currents := map[int32]time.Time{}
	for partition, r := range p.readings {
		currents[partition] = r.current
	}
	return currents
}

// currentOf is the same for one reading, and whether it goes on.
func (p *progress) currentOf(r *reading) (current time.Time, goesOn bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return r.current, !r.stopped
}

// agreeing is how many keys in a row, over all partitions, lie where the partitioner puts them.
func (p *progress) agreeing() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	keys := 0
	for _, r := range p.readings {
		keys += int(r.agreeing)
	}
	return keys
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
	for partition, end := range p.waiting[len(p.waiting)-1].lacks {
		offsets += end - p.readings[partition].position
	}
	return offsets
}

// follows has the partitions with a reading; false is one that ends and still has records in hand.
func (p *progress) follows() map[int32]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	follows := map[int32]bool{}
	for partition, r := range p.readings {
		follows[partition] = !r.stopped
	}
	return follows
}
