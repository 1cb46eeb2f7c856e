package consumer

import (
	"context"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/sessions"
)

// life is one partition from one assignment to its end. It is born empty and dies with the assignment: a
// late answer for a partition that was taken away finds a life that has ended and changes nothing.
type life struct {
	consumer  *Consumer
	partition int32

	// open ends when no order may start anything new: no wait, no attempt.
	open context.Context
	// work ends when what is under way must stop too: the drain's deadline, or a partition that was lost.
	work context.Context
	stop context.CancelFunc
	kill context.CancelFunc
	// passages counts the orders under way.
	passages sync.WaitGroup

	mu      sync.Mutex
	tracker tracker
	// ended is set when the assignment is over. Nothing may be committed from then on.
	ended bool
	// committed is the offset that the group last committed, -1 when it has none.
	committed int64
	// full is set while the partition pauses because of its own bound.
	full bool
	// moved is when the life last made progress.
	moved time.Time
	// times are the record times of the orders without an outcome.
	times map[int64]time.Time
}

func newLife(c *Consumer, partition int32) *life {
	work, kill := context.WithCancel(context.Background())
	open, stop := context.WithCancel(work)
	return &life{
		consumer: c, partition: partition,
		open: open, work: work, stop: stop, kill: kill,
		tracker: newTracker(), committed: -1, moved: time.Now(), times: map[int64]time.Time{},
	}
}

// admit takes records in and starts the passage of each order. The caller keeps the group from rebalancing
// meanwhile, so that the records still belong to this assignment.
func (l *life) admit(records []*kgo.Record, gate *sessions.Gate) {
	for _, record := range records {
		l.mu.Lock()
		admitted := !l.ended && l.tracker.admit(record.Offset)
		if admitted && record.Attrs.IsControl() {
			// A transaction's marker has an offset but is no order: it is complete as nothing.
			l.tracker.complete(record.Offset)
			admitted = false
		}
		if admitted {
			l.times[record.Offset] = record.Timestamp
			l.passages.Add(1)
			l.consumer.bounds.add(size(record))
			if l.tracker.pending >= l.consumer.config.MaxPendingPerPartition && !l.full {
				l.full = true
				l.consumer.pauses.pause(l.partition, PauseBackPressure)
			}
		}
		l.mu.Unlock()
		if admitted {
			go newPassage(l, record, gate).run()
		}
	}
}

// leave is the end of a passage. Only an order with a durable outcome completes its offset; one that was
// cut short leaves it pending for the partition's next owner.
func (l *life) leave(record *kgo.Record, completed bool) {
	defer l.passages.Done()
	l.consumer.bounds.remove(size(record))
	l.mu.Lock()
	defer l.mu.Unlock()
	if !completed {
		return
	}
	l.tracker.complete(record.Offset)
	delete(l.times, record.Offset)
	l.moved = time.Now()
	if l.full && l.tracker.pending <= l.consumer.config.MaxPendingPerPartition/2 {
		l.full = false
		l.consumer.pauses.resume(l.partition, PauseBackPressure)
	}
}

// size is what an order counts for in the bound on bytes.
func size(record *kgo.Record) int { return len(record.Key) + len(record.Value) }

// drain stops handing out and waits for what is under way, until ctx ends; then it cuts that short too.
func (l *life) drain(ctx context.Context) {
	l.stop()
	idle := make(chan struct{})
	go func() {
		l.passages.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
	}
	l.kill()
	<-idle
}

// end closes the life: from here on it commits nothing.
func (l *life) end() {
	l.stop()
	l.kill()
	l.mu.Lock()
	l.ended = true
	l.mu.Unlock()
}

// committable is the offset to commit, if there is one that the group does not have yet.
func (l *life) committable() (int64, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	offset := l.tracker.watermark()
	return offset, !l.ended && offset > l.committed
}

// noteCommitted remembers what the group has.
func (l *life) noteCommitted(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if offset > l.committed {
		l.committed = offset
		l.moved = time.Now()
	}
}

// standing is a partition as it stands now.
type standing struct {
	Partition int32
	// Committed and Next are -1 while unknown.
	Committed, Next int64
	Pending         int
	// Oldest is the record time of the lowest order without an outcome, zero when there is none.
	Oldest time.Time
	Moved  time.Time
}

func (l *life) standing() standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := standing{Partition: l.partition, Committed: l.committed, Next: l.tracker.next, Pending: l.tracker.pending, Moved: l.moved}
	if s.Next < 0 {
		s.Next = s.Committed
	}
	if l.tracker.pending > 0 {
		s.Oldest = l.times[l.tracker.watermark()]
	}
	return s
}
