package consumer

import (
	"sync"

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
	partitions map[int32]map[int64]remembered
	size       int
}

// remembered is an order that was read before.
type remembered struct {
	// durable: its outcome stands in the outcomes topic.
	durable bool
	// outcome is what to write where it is not durable: CJ has acknowledged the order.
	outcome *schema.OutcomeRecord
}

func newMemory() *memory { return &memory{partitions: map[int32]map[int64]remembered{}} }

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
	orders := m.partitions[partition]
	if orders == nil {
		orders = map[int64]remembered{}
		m.partitions[partition] = orders
	}
	before, known := orders[offset]
	switch {
	case before.durable, !known && m.size == memoryLimit:
		return
	case !known:
		m.size++
	}
	orders[offset] = r
}

// recall returns what is known of the order at an offset.
func (m *memory) recall(partition int32, offset int64) (remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, known := m.partitions[partition][offset]
	return r, known
}

// forget drops the orders below an offset that the group has.
func (m *memory) forget(partition int32, below int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for offset := range m.partitions[partition] {
		if offset < below {
			delete(m.partitions[partition], offset)
			m.size--
		}
	}
}
