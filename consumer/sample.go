package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// sampleEvery is how often the ends of our partitions are listed for the lag metrics.
	sampleEvery = 2 * time.Second
	// sampleTimeout is how long the listing may take: a broker that is frozen answers nothing, not even an error.
	sampleTimeout = 5 * time.Second
	// groupFades is when a trouble with the group is over that no poll tells any more: the client tells it again every
	// few seconds. Its last word may be read only after the group was joined, and on a quiet topic no other poll follows.
	groupFades = 20 * time.Second
	// stallAfter is how long a partition with work may go without progress, when nothing pauses it, before
	// it is called stalled.
	stallAfter = 2 * time.Minute
	// commitStallAfter is the same for its committed offset alone: one order that never ends holds that up while
	// all others flow. It would have been parked by then.
	commitStallAfter = parkAfter + 5*time.Minute
)

// sampleLoop keeps the ends of our partitions, and looks for partitions that stand still.
func (c *Consumer) sampleLoop(ctx context.Context) error {
	admin := kadm.NewClient(c.client)
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	start := time.Now()
	for {
		c.sample(ctx, admin)
		c.retention.refresh(ctx, admin, c.config.Topic)
		c.lookForStalls(time.Now())
		for _, l := range c.allLives() {
			l.rebalance()
			l.parkOldest()
			l.parkBeforeRetention(time.Now())
		}
		c.health.group.fade(groupFades)
		c.memory.age(func(partition int32) bool { return c.life(partition) != nil }, time.Now())
		c.logReadiness(start, time.Now())
		select {
		case <-ticker.C:
		case <-c.assigned:
		case <-ctx.Done():
			return nil
		}
	}
}

// sample lists the ends. An error leaves the last ones.
func (c *Consumer) sample(ctx context.Context, admin *kadm.Client) {
	asking, cancel := context.WithTimeout(ctx, sampleTimeout)
	defer cancel()
	written, err := listed(admin.ListEndOffsets(asking, c.config.Topic))
	var ends kadm.ListedOffsets
	if err == nil {
		ends, err = listed(admin.ListCommittedOffsets(asking, c.config.Topic))
	}
	switch {
	case err == nil:
		c.health.kafka.over()
		c.noteEnds(ends)
		c.noteOpen(ends, written, time.Now())
	case ctx.Err() == nil:
		c.health.kafka.trouble(c.unasked(err))
	}
}

// unasked says why the ends could not be listed: whoever reads it looks at the brokers, or at the topic.
func (c *Consumer) unasked(err error) error {
	var answer *kerr.Error
	if errors.As(err, &answer) {
		return fmt.Errorf("the brokers do not tell where topic %s ends: %w", c.config.Topic, err)
	}
	return fmt.Errorf("the brokers do not answer: %w", err)
}

func (c *Consumer) noteEnds(ends kadm.ListedOffsets) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for partition := range c.lives {
		if end, ok := ends.Lookup(c.config.Topic, partition); ok {
			c.ends[partition] = end.Offset
		}
	}
}

// lookForStalls counts partitions that have work, no reason to pause, and no progress, and those whose orders cannot be
// read since a transaction does not end.
func (c *Consumer) lookForStalls(now time.Time) {
	stalled := 0
	turn := c.turn()
	for _, s := range c.standings() {
		if s.workLag() == 0 || s.Held > 0 || c.pauses.excuse(s.Partition) {
			// The time to make progress starts when there is something to do. What the mass rule holds has a check
			// of its own.
			if l := c.life(s.Partition); l != nil {
				l.touch(now)
			}
			continue
		}
		if now.Sub(s.Moved) > stallAfter+turn || now.Sub(s.Advanced) > commitStallAfter+turn {
			stalled++
			c.config.Log.Error("partition stalled: it has orders, nothing pauses it, and it makes no progress",
				"partition", s.Partition, "committed", s.Committed, "next", s.Next, "end", s.End, "pending", s.Pending,
				"without_progress", now.Sub(s.Moved).Round(time.Second).String(), "without_commit", now.Sub(s.Advanced).Round(time.Second).String())
		}
	}
	for partition, held := range c.hanging(now) {
		stalled++
		c.config.Log.Error("partition held up by a transaction that does not end: find it with Kafka's own kafka-transactions.sh find-hanging, and abort it",
			"partition", partition, "last_stable_offset", held.stable, "behind", held.behind, "for", now.Sub(held.since).Round(time.Second).String())
	}
	c.mu.Lock()
	c.stalled = stalled
	c.mu.Unlock()
}

// turn is how long an order may have to wait for the others because of the rate.
func (c *Consumer) turn() time.Duration {
	rate := c.config.Breaker.Rate()
	if rate == 0 {
		return 0
	}
	return time.Duration(float64(c.bounds.orders()) / rate * float64(time.Second))
}
