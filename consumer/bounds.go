package consumer

import (
	"context"
	"sync"
)

// bounds keeps the orders in memory within a count and a number of bytes.
type bounds struct {
	maxCount, maxBytes int

	mu           sync.Mutex
	count, bytes int
	// freed is closed and replaced when an order leaves while somebody waits.
	freed   chan struct{}
	waiting bool
}

// batch is the most orders of one poll: enough that polling costs nothing, few enough that the bounds are
// overshot by little and that one freshness listing does not hold many back.
const batch = 1000

func newBounds(maxCount, maxBytes int) *bounds {
	return &bounds{maxCount: maxCount, maxBytes: maxBytes, freed: make(chan struct{})}
}

func (b *bounds) add(bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count++
	b.bytes += bytes
}

func (b *bounds) remove(bytes int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count--
	b.bytes -= bytes
	if b.waiting {
		b.waiting = false
		close(b.freed)
		b.freed = make(chan struct{})
	}
}

// room is how many orders may be read now. It is 0 until a quarter is free: polling for single orders would
// cost one freshness listing each.
func (b *bounds) room() (orders int, freed <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.count <= b.maxCount*3/4 && b.bytes <= b.maxBytes*3/4 {
		return min(batch, b.maxCount-b.count), b.freed
	}
	b.waiting = true
	return 0, b.freed
}

// orders is how many orders are in memory.
func (b *bounds) orders() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count
}

// wait returns how many orders may be read, as soon as that is at least one; 0 when ctx ends first.
func (b *bounds) wait(ctx context.Context) int {
	for {
		orders, freed := b.room()
		if orders > 0 {
			return orders
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return 0
		}
	}
}
