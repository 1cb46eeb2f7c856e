package sessions

import (
	"maps"
	"slices"
	"sync"
)

// Memory is a Store in memory. It begins empty at every start: for a look at one session, and for tests.
type Memory struct {
	mu          sync.RWMutex
	layout      Layout
	sessions    map[memoryKey]lineages
	checkpoints map[int32]Checkpoint
}

// memoryKey is a session; in a Global store all partitions are 0.
type memoryKey struct {
	partition int32
	session   string
}

// NewMemory makes an empty Memory.
func NewMemory() *Memory { return &Memory{} }

var _ Store = (*Memory)(nil)

// Begin implements Store. It forgets everything.
func (m *Memory) Begin(origin Origin) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.layout, m.sessions, m.checkpoints = origin.Layout, map[memoryKey]lineages{}, map[int32]Checkpoint{}
	return nil
}

// Checkpoint implements Store.
func (m *Memory) Checkpoint(partition int32) Checkpoint {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.checkpoints[partition]
}

// Drop implements Store.
func (m *Memory) Drop(partition int32) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.layout == Global {
		clear(m.sessions)
		clear(m.checkpoints)
		return nil
	}
	delete(m.checkpoints, partition)
	maps.DeleteFunc(m.sessions, func(key memoryKey, _ lineages) bool { return key.partition == partition })
	return nil
}

// History implements Store.
func (m *Memory) History(partition int32, session string) (History, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.sessions[m.key(partition, session)].clone().history(), nil
}

func (m *Memory) key(partition int32, session string) memoryKey {
	if m.layout == Global {
		partition = 0
	}
	return memoryKey{partition, session}
}

// Sessions implements Store.
func (m *Memory) Sessions() int64 {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return int64(len(m.sessions))
}

// Size implements Store. Nothing is on disk.
func (m *Memory) Size() int64 { return 0 }

// Healthy implements Store.
func (m *Memory) Healthy() error { return nil }

// Close implements Store.
func (m *Memory) Close() error { return nil }

// NewBatch implements Store.
func (m *Memory) NewBatch() Batch { return &memoryBatch{memory: m} }

type memoryBatch struct {
	memory  *Memory
	changes []memoryChange
	bytes   int
}

type memoryChange struct {
	partition int32
	session   string
	change    Change
}

func (b *memoryBatch) Add(partition int32, session []byte, change Change) {
	b.changes = append(b.changes, memoryChange{partition, string(session), change})
	b.bytes += len(session) + len(change.Click.ID) + 100
}

func (b *memoryBatch) Bytes() int { return b.bytes }

func (b *memoryBatch) Commit(checkpoints map[int32]Checkpoint) error {
	m := b.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range b.changes {
		key := m.key(c.partition, c.session)
		m.sessions[key] = m.sessions[key].apply(c.partition, c.change)
	}
	maps.Copy(m.checkpoints, checkpoints)
	clear(b.changes)
	b.changes, b.bytes = b.changes[:0], 0
	return nil
}

// clone copies lineages, so that a reader's are not changed under it.
func (l lineages) clone() lineages {
	copied := slices.Clone(l)
	for i := range copied {
		copied[i].clicks = slices.Clone(copied[i].clicks)
	}
	return copied
}
