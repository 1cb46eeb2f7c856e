package consumer

import (
	"sync"

	"github.com/cjrelay/cjrelay/schema"
)

// memoryLimit bounds the orders that a memory holds. Beyond it an order that is read again is sent again, which
// CJ de-duplicates.
const memoryLimit = 100_000

// memory knows the orders that CJ acknowledged and whose offsets the group does not have yet. When their
// partition is lost before the commit, because Kafka was away, and comes back to this process, they are not
// sent again. It outlives a partition's life on purpose; everything else about one does not. It is safe for
// concurrent use.
type memory struct {
	mu         sync.Mutex
	partitions map[int32]map[int64]schema.OutcomeRecord
	size       int
}

func newMemory() *memory { return &memory{partitions: map[int32]map[int64]schema.OutcomeRecord{}} }

// remember notes an acknowledged order.
func (m *memory) remember(outcome schema.OutcomeRecord) {
	m.mu.Lock()
	defer m.mu.Unlock()
	orders := m.partitions[outcome.Partition]
	if orders == nil {
		orders = map[int64]schema.OutcomeRecord{}
		m.partitions[outcome.Partition] = orders
	}
	if _, known := orders[outcome.Offset]; !known && m.size < memoryLimit {
		orders[outcome.Offset] = outcome
		m.size++
	}
}

// recall returns what is known of the order at an offset.
func (m *memory) recall(partition int32, offset int64) (schema.OutcomeRecord, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	outcome, known := m.partitions[partition][offset]
	return outcome, known
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
