package consumer

import (
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// memoryLimit bounds the orders that a memory holds. Beyond it an order that is read again is done again: its
// outcome is written twice, and what is sent twice CJ de-duplicates.
const memoryLimit = 100_000

// memory knows the orders that are done and whose offsets the group does not have yet. When their partition is
// lost before the commit, because Kafka was away, and comes back to this process, they are not done again. It
// outlives a partition's life on purpose; everything else about one does not. It is safe for concurrent use.
type memory struct {
	mu         sync.Mutex
	partitions map[int32]*recollection
	size       int
}

// recollection is what is remembered of one partition.
type recollection struct {
	orders map[int64]remembered
	// away is since when it has not been ours, the zero time while it is.
	away time.Time
}

// memoryAge is how long a partition that is not ours is remembered. Kafka being away, which is what this is for, makes
// it ours again in minutes; one that stays somebody else's must not take the room of those that are ours.
const memoryAge = time.Hour

// remembered is an order that was read before.
type remembered struct {
	// durable: its outcome stands in the outcomes topic.
	durable bool
	// outcome is what to write where it is not durable: CJ has acknowledged the order.
	outcome *schema.OutcomeRecord
}

func newMemory() *memory { return &memory{partitions: map[int32]*recollection{}} }

// acknowledged notes that CJ has an order whose outcome is about to be written.
func (m *memory) acknowledged(outcome schema.OutcomeRecord) {
	m.note(outcome.Partition, outcome.Offset, remembered{outcome: &outcome})
}

// durable notes that an order's outcome is written.
func (m *memory) durable(partition int32, offset int64) {
	m.note(partition, offset, remembered{durable: true})
}

func (m *memory) note(partition int32, offset int64, r remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.partitions[partition]
	if one == nil {
		one = &recollection{orders: map[int64]remembered{}}
		m.partitions[partition] = one
	}
	before, known := one.orders[offset]
	switch {
	case before.durable, !known && m.size == memoryLimit:
		return
	case !known:
		m.size++
	}
	one.orders[offset] = r
}

// recall returns what is known of the order at an offset.
func (m *memory) recall(partition int32, offset int64) (remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.partitions[partition]
	if one == nil {
		return remembered{}, false
	}
	r, known := one.orders[offset]
	return r, known
}

// unwritten is how many orders of a partition CJ has acknowledged whose outcomes are not written.
func (m *memory) unwritten(partition int32) (orders int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if one := m.partitions[partition]; one != nil {
		for _, r := range one.orders {
			if !r.durable {
				orders++
			}
		}
	}
	return orders
}

// forget drops the orders below an offset that the group has.
func (m *memory) forget(partition int32, below int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	one := m.partitions[partition]
	if one == nil {
		return
	}
	for offset := range one.orders {
		if offset < below {
			delete(one.orders, offset)
			m.size--
		}
	}
}

// age drops the partitions that have not been ours for long. It is told from time to time which ones are.
func (m *memory) age(isOurs func(partition int32) bool, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for partition, one := range m.partitions {
		switch {
		case isOurs(partition):
			one.away = time.Time{}
		case one.away.IsZero():
			one.away = now
		case now.Sub(one.away) >= memoryAge:
			m.size -= len(one.orders)
			delete(m.partitions, partition)
		}
	}
}
