package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
)

// pollLoop hands records to their lives until ctx ends.
func (c *Consumer) pollLoop(ctx context.Context) error {
	for {
		// From before the room is known: a wait that was ended meanwhile must not begin.
		waiting, over := c.await.begin(ctx)
		room := c.room(ctx)
		if room == 0 {
			over()
			return nil
		}
		fetches := c.client.PollRecords(waiting, room)
		over()
		if ctx.Err() != nil {
			c.client.AllowRebalance()
			return nil
		}
		if errors.Is(fetches.Err0(), context.Canceled) {
			c.client.AllowRebalance()
			continue
		}
		troubled := c.noteErrors(ctx, fetches)
		gate := c.config.Clicks.Gate()
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			if l := c.life(p.Partition); l != nil {
				l.admit(p.Records, gate)
			}
		})
		c.client.AllowRebalance()
		if troubled && fetches.NumRecords() == 0 {
			// Some errors come again at once, for as long as they last.
			select {
			case <-time.After(pollAgain):
			case <-ctx.Done():
			}
		}
	}
}

// await is the wait for orders to read. It is safe for concurrent use.
type await struct {
	mu   sync.Mutex
	over context.CancelFunc
}

// begin returns the context of one wait, and what must be called after it.
func (a *await) begin(ctx context.Context) (waiting context.Context, over context.CancelFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	waiting, a.over = context.WithCancel(ctx)
	return waiting, a.over
}

// end ends the wait, since the room that it began with is no longer right.
func (a *await) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.over != nil {
		a.over()
	}
}

// pollAgain is how soon reading is tried again after a poll that brought nothing but errors.
const pollAgain = 100 * time.Millisecond

// sayAgain is how often the log repeats an error of reading that lasts.
const sayAgain = 30 * time.Second

// room waits until orders may be read and returns how many, 0 when ctx ends. A half-open circuit takes only
// as many as it lacks for its probes. Orders that cannot be sent now, because they wait for the registry, for their own
// time or for a backoff, are none of those: it might wait for them for very long.
func (c *Consumer) room(ctx context.Context) int {
	for {
		changed := c.config.Breaker.Changed()
		room := c.bounds.wait(ctx)
		if room == 0 || c.config.Breaker.State() == breaker.Closed {
			return room
		}
		if lacking := c.config.Breaker.Probes() - c.queue.ready() - c.coming.orders(); lacking > 0 {
			return min(room, lacking)
		}
		select {
		case <-changed:
		case <-time.After(time.Second): // an order may have left, or wait, which changes nothing of the breaker
		case <-ctx.Done():
			return 0
		}
	}
}

// noteErrors keeps the poll's errors for readiness and settles offsets that are out of range, and a topic that was made
// anew. It reports whether reading is in trouble.
func (c *Consumer) noteErrors(ctx context.Context, fetches kgo.Fetches) bool {
	var trouble, cause error
	var outside []int32
	fetches.EachError(func(topic string, partition int32, err error) {
		if isOutOfRange(err) {
			outside = append(outside, partition)
			return
		}
		if !errors.Is(err, context.Canceled) {
			trouble, cause = fmt.Errorf("reading %s[%d]: %w", topic, partition, err), err
		}
	})
	if len(outside) > 0 {
		c.outOfRange(ctx, outside)
	}
	if trouble == nil {
		c.health.group.over()
		return len(outside) > 0
	}
	if errors.Is(trouble, kerr.UnknownTopicID) {
		_ = c.stopIfRemade(ctx) // what cannot be asked now comes up again with the next poll
	}
	c.health.group.trouble(trouble)
	if text := cause.Error(); text != c.said || time.Since(c.saidAt) >= sayAgain {
		c.said, c.saidAt = text, time.Now()
		c.config.Log.Warn("reading orders", "error", trouble)
	}
	return true
}
