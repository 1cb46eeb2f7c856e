package capture

import (
	"context"
	"errors"
	"sync"
)

// queueBytes bounds what waits in memory for the disk: some thirty thousand clicks.
const queueBytes = 4 << 20

// Why a click was not taken. None names the session or the click.
var (
	errFlood   = errors.New("the client makes more clicks than client_rate allows")
	errQueue   = errors.New("more clicks come than the disk takes: the queue is full")
	errRoom    = errors.New("the spool is full")
	errStopped = errors.New("the edge is stopping")
	errLate    = errors.New("the click was not on disk within durable_wait")
	errMemory  = errors.New("the disk did not take it; it is held in memory and goes to Kafka from there")
)

// entry is a record that waits for the disk.
type entry struct {
	frame []byte
	// done is closed when the record is on disk or err says why not.
	done chan struct{}
	err  error
}

func newEntry(r record) *entry { return &entry{frame: r.frame(), done: make(chan struct{})} }

// finish tells those who wait.
func (e *entry) finish(err error) {
	e.err = err
	close(e.done)
}

// await waits until the record is on disk, or for late.
func (e *entry) await(late <-chan struct{}) error {
	select {
	case <-e.done:
		return e.err
	default:
	}
	select {
	case <-e.done:
		return e.err
	case <-late:
		return errLate
	}
}

// durable waits until the record is on disk, or for ctx.
func (e *entry) durable(ctx context.Context) error {
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// queue holds what waits for the disk. It never blocks those who add. It is safe for concurrent use.
type queue struct {
	spool *spool
	// filled has a token when there is something to take, or the queue was closed.
	filled chan struct{}

	mu     sync.Mutex
	group  []*entry
	bytes  int
	closed bool
}

func newQueue(spool *spool) *queue { return &queue{spool: spool, filled: make(chan struct{}, 1)} }

// add takes an entry in, or says why not.
func (q *queue) add(e *entry) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return q.spool.lose(lostStopped, 1, errStopped)
	case q.bytes+len(e.frame) > queueBytes:
		return q.spool.lose(lostQueue, 1, errQueue)
	case !q.spool.reserve(len(e.frame)):
		return q.spool.lose(lostRoom, 1, errRoom)
	}
	q.group = append(q.group, e)
	q.bytes += len(e.frame)
	q.signal()
	return nil
}

// take waits for entries and returns all there are. open is false when there will be no more.
func (q *queue) take() (group []*entry, open bool) {
	<-q.filled
	q.mu.Lock()
	defer q.mu.Unlock()
	group, q.group, q.bytes = q.group, nil, 0
	return group, !q.closed
}

// close lets no more in. What is there can still be taken.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.group)
}

func (q *queue) signal() {
	select {
	case q.filled <- struct{}{}:
	default:
	}
}
