package sessions

import (
	"sync"
	"time"
)

// listing is the end of the click topic at one moment, and the wait for the table to get there.
type listing struct {
	// since is when it was asked for.
	since time.Time
	// listed is closed when the ends are known.
	listed chan struct{}
	// fresh is closed when every partition has been read up to its end.
	fresh chan struct{}
	// reached has each partition that was listed; its channel is closed when that one has been read up to its
	// end. The map does not change once listed is closed.
	reached map[int32]chan struct{}
	// lacks has the ends of the partitions that are not there yet.
	lacks map[int32]int64
}

func newListing() *listing {
	return &listing{listed: make(chan struct{}), fresh: make(chan struct{}), since: time.Now()}
}

// reach notes that a partition is there.
func (l *listing) reach(r *reading) {
	delete(l.lacks, r.partition)
	close(l.reached[r.partition])
	if l.since.After(r.current) {
		r.current = l.since
	}
}

// lister collects those who need a listing that starts after now. While one listing runs, everybody who
// comes shares the next.
type lister struct {
	mu sync.Mutex
	// next is for everybody who comes now; current is being made.
	next, current *listing
	wanted        chan struct{}
}

func newLister() *lister { return &lister{wanted: make(chan struct{}, 1)} }

func (l *lister) request() *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = newListing()
		select {
		case l.wanted <- struct{}{}:
		default:
		}
	}
	return l.next
}

func (l *lister) take() *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next, l.current = nil, l.next
	return l.current
}

// done notes that the current listing was made.
func (l *lister) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = nil
}

// waitingSince is when the oldest listing was asked for that is not made yet.
func (l *lister) waitingSince() (since time.Time, waiting bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, wanted := range []*listing{l.current, l.next} {
		if wanted != nil {
			return wanted.since, true
		}
	}
	return time.Time{}, false
}
