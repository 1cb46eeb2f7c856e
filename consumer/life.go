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
	// underWay counts the orders that have not left.
	underWay sync.WaitGroup

	mu      sync.Mutex
	tracker tracker
	// passages are the orders without an outcome, by offset.
	passages map[int64]*passage
	// ended is set when the assignment is over. Nothing may be committed from then on.
	ended bool
	// committed is what the group last committed, with an offset of -1 when it has none.
	committed position
	// described is the length of the committed metadata, 0 where it was ignored: what somebody else wrote bounds nothing.
	described int
	// held is what the mass rules hold; looksAhead is set while reading pauses because of it.
	held       lookAhead
	looksAhead bool
	// full is set while the partition pauses because of its own bound.
	full bool
	// moved is when the life last made progress, and advanced when its committed offset did, or when there was
	// last no reason to.
	moved, advanced time.Time
}

func newLife(c *Consumer, partition int32) *life {
	work, kill := context.WithCancel(context.Background())
	open, stop := context.WithCancel(work)
	return &life{
		consumer: c, partition: partition,
		open: open, work: work, stop: stop, kill: kill,
		tracker: newTracker(), passages: map[int64]*passage{}, committed: position{offset: -1}, moved: time.Now(), advanced: time.Now(),
	}
}

// admit takes records in. The caller keeps the group from rebalancing meanwhile, so that the records still
// belong to this assignment.
func (l *life) admit(records []*kgo.Record, gate *sessions.Gate) {
	admitted := make([]*passage, 0, len(records))
	l.mu.Lock()
	for _, record := range records {
		if l.consumer.config.Replay.isOver(l.partition, record.Offset) {
			l.consumer.pauses.pause(l, PauseReplayed)
			break
		}
		if l.ended || !l.tracker.admit(record.Offset) {
			continue
		}
		if record.Attrs.IsControl() {
			// A transaction's marker has an offset but is no order: it is complete as nothing.
			l.tracker.complete(record.Offset)
			continue
		}
		if l.tracker.isDone(record.Offset) || l.consumer.config.Replay.passesOver(l.partition, record.Offset) {
			l.tracker.complete(record.Offset)
			l.consumer.metrics.alreadyDone.Inc()
			continue
		}
		p := newPassage(l, record, gate)
		l.passages[record.Offset] = p
		l.underWay.Add(1)
		l.consumer.bounds.add(size(record))
		admitted = append(admitted, p)
	}
	l.balance()
	l.mu.Unlock()
	if len(admitted) > 0 {
		arrived := l.consumer.coming.come(len(admitted))
		go func() {
			defer arrived()
			l.intake(admitted...)
		}()
	}
}

// intake takes orders that are in hand up to the sending. They share one gate; those that need no lookup do
// not wait for it. They also share one short wait for the registry: where that is silent, orders whose schema is
// known must not stand behind others for its time-out each.
func (l *life) intake(orders ...*passage) {
	asking, cancel := context.WithTimeout(l.open, patience)
	defer cancel()
	var lookups []*passage
	for _, p := range orders {
		if l.open.Err() != nil {
			p.abandon()
			continue
		}
		if p.wasDone() {
			continue
		}
		if (p.order != nil || p.read(asking)) && !p.awaitsConfirmation() && !p.joinAlone() {
			lookups = append(lookups, p)
		}
	}
	if len(lookups) == 0 {
		return
	}
	for _, p := range lookups {
		p.trail.doing(AwaitingClicks)
	}
	fresh := l.awaitTable(lookups[0].gate)
	for _, p := range lookups {
		if fresh {
			p.join()
		} else {
			p.abandon()
		}
	}
}

// patience is how long orders wait for the registry or the click table before fetching pauses for it.
const patience = time.Second

// awaitTable waits until the click table is fresh, and reports whether it became so before the life stopped.
func (l *life) awaitTable(gate *sessions.Gate) bool {
	short, cancel := context.WithTimeout(l.open, patience)
	defer cancel()
	if gate.Wait(short, l.partition) == nil {
		return true
	}
	l.consumer.pauses.pause(l, PauseFreshness)
	defer l.consumer.pauses.resume(l, PauseFreshness)
	return gate.Wait(l.open, l.partition) == nil
}

// leave is the end of a passage. Only an order with a durable outcome completes its offset; one that was
// abandoned leaves it pending for the partition's next owner.
func (l *life) leave(p *passage, completed bool) {
	defer l.underWay.Done()
	if !completed {
		p.trail.step(StepGivenUp, "")
	}
	l.consumer.trails.left(p.trail)
	l.consumer.bounds.remove(size(p.record))
	p.endAwait()
	p.acquit()
	if p.candidate != nil {
		l.consumer.duplicates.leave(p.candidate)
	}
	if l.complete(p, completed) {
		l.parkOldest()
	}
}

// complete takes an order out, and tells whether the orders done above the oldest one near their bound now.
func (l *life) complete(p *passage, completed bool) (crowded bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.passages, p.record.Offset)
	if !completed || l.ended {
		return false
	}
	l.tracker.complete(p.record.Offset)
	l.moved = time.Now()
	l.balance()
	return l.crowded()
}

// balance pauses reading at the partition's bounds, and lets it go on when there is room again. The caller holds
// mu.
func (l *life) balance() {
	if full := l.held.isFull(l.consumer.share()); full != l.looksAhead {
		l.looksAhead = full
		if full {
			l.consumer.pauses.pause(l, PauseMassRule)
		} else {
			l.consumer.pauses.resume(l, PauseMassRule)
		}
	}
	limit := l.consumer.config.MaxPendingPerPartition
	switch {
	case !l.full && (l.tracker.pending >= limit || l.tracker.ahead() >= l.consumer.aheadLimit || l.metadataNears()):
		l.full = true
		l.consumer.pauses.pause(l, PauseBackPressure)
	case l.full && l.tracker.pending <= limit/2 && !l.crowded():
		l.full = false
		l.consumer.pauses.resume(l, PauseBackPressure)
	}
}

// rebalance does the same when time has passed: with another number of partitions each has another share.
func (l *life) rebalance() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.balance()
}

// size is what an order counts for in the bound on bytes: all that its producer may make as long as it likes.
func size(record *kgo.Record) int {
	bytes := len(record.Key) + len(record.Value)
	for _, header := range record.Headers {
		bytes += len(header.Key) + len(header.Value)
	}
	return bytes
}

// drain stops handing out, lets go of every order that waits, and waits for those in hand until ctx ends;
// then it cuts them short.
func (l *life) drain(ctx context.Context) {
	l.stop()
	l.mu.Lock()
	all := make([]*passage, 0, len(l.passages))
	for _, p := range l.passages {
		all = append(all, p)
	}
	l.mu.Unlock()
	for _, p := range all {
		p.abandonWaiting()
	}
	idle := make(chan struct{})
	go func() {
		l.underWay.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-ctx.Done():
		l.kill()
	}
}

// end closes the life: from here on it commits nothing, and what comes late changes nothing.
func (l *life) end() {
	l.stop()
	l.kill()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}

// position is what the group knows of a partition: an offset, and which ones above it are done.
type position struct {
	offset   int64
	metadata string
}

// lost is how many of the offsets from one up to but not including another have no outcome and will never have one.
func (l *life) lost(from, to int64) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return to - from - l.tracker.doneBetween(from, to)
}

// committable is the position to commit, if there is one that the group does not have yet, or perhaps no longer.
func (l *life) committable(doubted bool) (position, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := l.tracker.watermark()
	if l.ended || at < 0 || at < l.committed.offset {
		return position{}, false
	}
	next := position{offset: at, metadata: encodeMetadata(l.consumer.topicID, at, l.tracker.above(), l.consumer.metadataRoom())}
	return next, doubted || next != l.committed
}

// noteCommitted remembers what the group has.
func (l *life) noteCommitted(committed position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if committed.offset > l.committed.offset {
		l.moved = time.Now()
		l.advanced = l.moved
	}
	l.committed = committed
	l.described = len(committed.metadata)
	l.balance()
	l.consumer.memory.forget(l.partition, committed.offset)
	l.consumer.trails.committed(l.partition, committed.offset, time.Now())
}

// begin takes over what the group has of the partition, before anything is read.
func (l *life) begin(committed position, done spans) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.committed = committed
	if done != nil {
		l.described = len(committed.metadata)
	}
	l.tracker.restore(done)
	l.consumer.memory.forget(l.partition, committed.offset)
}

// skipTo notes that the log begins at an offset: nothing before it is to be read any more.
func (l *life) skipTo(offset int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tracker.skipTo(offset)
}

// touch notes a moment at which standing still was right.
func (l *life) touch(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.After(l.moved) {
		l.moved, l.advanced = now, now
	}
}

func (l *life) hasEnded() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ended
}

// standing leaves End to the sample.
func (l *life) standing() standing {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := standing{Partition: l.partition, Committed: l.committed.offset, Next: l.tracker.next, End: -1, Pending: l.tracker.pending, Held: l.held.orders, Moved: l.moved, Advanced: l.advanced}
	if s.Next < 0 {
		s.Next = s.Committed
	}
	if lowest := l.passages[l.tracker.watermark()]; lowest != nil {
		s.Oldest = lowest.record.Timestamp
	}
	return s
}
