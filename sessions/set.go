package sessions

import (
	"maps"
	"slices"
	"sync"
)

// set is a set of partitions. It is safe for concurrent use.
type set struct {
	mu         sync.Mutex
	partitions map[int32]bool
}

func newSet() *set { return &set{partitions: map[int32]bool{}} }

func (s *set) add(partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, partition := range partitions {
		s.partitions[partition] = true
	}
}

func (s *set) remove(partitions []int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, partition := range partitions {
		delete(s.partitions, partition)
	}
}

func (s *set) has(partition int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.partitions[partition]
}

func (s *set) list() []int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.partitions))
}
