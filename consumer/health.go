package consumer

import (
	"fmt"
	"sync"
	"time"
)

// lasting is how long a trouble may last before readiness says so. Shorter ones heal by themselves.
const lasting = 30 * time.Second

// health collects the troubles that orders wait out, so that a consumer that is alive but cannot progress
// says so itself.
type health struct {
	// registry: the schema registry cannot be asked.
	registry condition
	// endpoint: CJ's answers say that the endpoint or our set-up is wrong.
	endpoint condition
	// outcomes and deadLetters: one cannot be written, which blocks commits.
	outcomes, deadLetters condition
	// commits: offsets cannot be committed.
	commits condition
	// kafka: the brokers do not answer, or do not tell where the topic ends.
	kafka condition
	// group: the consumer group cannot be joined or read from.
	group condition
}

// condition is one trouble and since when it lasts. It is safe for concurrent use.
type condition struct {
	mu    sync.Mutex
	since time.Time
	// last is when it was last said to be there.
	last time.Time
	err  error
	// orders is how many are in it, where they are counted.
	orders int
}

// enter notes that an order is in the trouble. It must leave once.
func (c *condition) enter(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.orders++ // at once with the rest, or the last to leave meanwhile would end it
	c.note(err)
}

// leave notes that an order is out of the trouble, which is over with the last one: that others fare well
// says nothing about those that are stuck.
func (c *condition) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.orders--; c.orders == 0 {
		c.err = nil
	}
}

// trouble notes that it is there, or still there.
func (c *condition) trouble(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(err)
}

// note is trouble. The caller holds mu.
func (c *condition) note(err error) {
	if c.err == nil {
		c.since = time.Now()
	}
	c.err, c.last = err, time.Now()
}

// fade ends a trouble that nobody has spoken of for so long.
func (c *condition) fade(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.last) >= after {
		c.err = nil
	}
}

// over notes that it has ended.
func (c *condition) over() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = nil
}

// lasts returns the trouble when it has lasted.
func (c *condition) lasts() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil || time.Since(c.since) < lasting {
		return nil
	}
	return fmt.Errorf("for %s: %w", time.Since(c.since).Round(time.Second), c.err)
}
