package consumer

import (
	"sync"
	"sync/atomic"
	"time"
)

// coming counts the orders that were just read and are on their way to being sent. It is safe for concurrent use.
type coming struct{ count atomic.Int64 }

// come adds so many, until arrived is called or patience has passed: those that wait for longer, for the click table
// for instance, cannot be counted on.
func (c *coming) come(orders int) (arrived func()) {
	c.count.Add(int64(orders))
	gone := sync.OnceFunc(func() { c.count.Add(-int64(orders)) })
	late := time.AfterFunc(patience, gone)
	return func() {
		late.Stop()
		gone()
	}
}

// orders is how many there are now.
func (c *coming) orders() int { return int(c.count.Load()) }
