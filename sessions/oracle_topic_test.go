package sessions

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// topicLog is the click topic as the oracle keeps it: every record that Kafka acknowledged, whatever became of it.
type topicLog struct {
	mu         sync.Mutex
	partitions []*partitionLog
	running    []*transaction
	// removals counts how often the topic lost records.
	removals int
}

// partitionLog is one partition.
type partitionLog struct {
	entries []*entry
	end     int64
	// batches are the offsets at which a batch of records begins.
	batches []int64
}

// entry is one record.
type entry struct {
	partition int32
	offset    int64
	session   string
	kind      Kind
	id        string
	// at is when the click was captured, or the tombstone's time.
	at time.Time
	// in is the transaction that it was written in; nil for none.
	in *transaction
	// removed is the removal that took it out of the topic.
	removed int
}

// never is a removal that does not happen.
const never = math.MaxInt

// transaction is one of several partitions.
type transaction struct {
	client *kgo.Client
	// partitions is how many the topic had when it began: its producer need not know of more.
	partitions int32
	// first is its first offset in each of its partitions.
	first map[int32]int64
	// vague: its first offsets are only known not to lie before those.
	vague bool
	ended bool
	// committed, once it has ended.
	committed bool
}

// counts tells whether the record is one that a reader of committed records gets, once it is stable.
func (e *entry) counts() bool { return e.in == nil || e.in.ended && e.in.committed }

func inTopicOrder(a, b *entry) int {
	return cmp.Or(cmp.Compare(a.partition, b.partition), cmp.Compare(a.offset, b.offset))
}

func (e *entry) String() string {
	what := map[Kind]string{Put: "click " + e.id, Erase: "tombstone", Spoil: "malformed"}[e.kind]
	text := fmt.Sprintf("%d/%d %s: %s at %s", e.partition, e.offset, e.session, what, oracleTime(e.at))
	switch {
	case e.in == nil:
	case !e.in.ended:
		text += ", in an open transaction"
	case !e.in.committed:
		text += ", aborted"
	}
	if e.removed != never {
		text += fmt.Sprintf(", gone with removal %d", e.removed)
	}
	return text
}

// add takes in records that were acknowledged, in offset order within each partition.
func (l *topicLog) add(in *transaction, entries ...*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	begun := map[int32]bool{}
	for _, e := range entries {
		p := l.partitions[e.partition]
		e.in, e.removed = in, never
		if !begun[e.partition] {
			begun[e.partition] = true
			p.batches = append(p.batches, e.offset)
		}
		if in != nil {
			if _, known := in.first[e.partition]; !known {
				in.first[e.partition] = e.offset
			}
		}
		at, _ := slices.BinarySearchFunc(p.entries, e, inTopicOrder)
		p.entries = slices.Insert(p.entries, at, e)
		p.end = max(p.end, e.offset+1)
	}
}

// stable are the last stable offsets: what a gate that is taken now must wait for.
func (l *topicLog) stable() map[int32]int64 { return l.ends(func(*transaction) bool { return true }) }

// readable are the offsets up to which a table may have read by now.
func (l *topicLog) readable() map[int32]int64 {
	return l.ends(func(in *transaction) bool { return !in.vague })
}

// ends are the ends of the partitions before those of the open transactions.
func (l *topicLog) ends(of func(*transaction) bool) map[int32]int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends := map[int32]int64{}
	for n, p := range l.partitions {
		ends[int32(n)] = p.end
	}
	for _, in := range l.running {
		if !of(in) {
			continue
		}
		for p, first := range in.first {
			ends[p] = min(ends[p], first)
		}
	}
	return ends
}

// remove notes which of the records that were there are not there any more.
func (l *topicLog) remove(there func(*entry) bool) {
	l.removals++
	for _, p := range l.partitions {
		for _, e := range p.entries {
			if e.removed == never && !there(e) {
				e.removed = l.removals
			}
		}
	}
}

// of are the records of a session.
func (l *topicLog) of(session string) (entries []*entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.partitions {
		for _, e := range p.entries {
			if e.session == session {
				entries = append(entries, e)
			}
		}
	}
	return entries
}
