package consumer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// onAssigned begins a new life for each partition, with nothing of an earlier one in it.
func (c *Consumer) onAssigned(_ context.Context, _ *kgo.Client, assigned map[string][]int32) {
	// Polls show that the group is in trouble, but without new orders not that it no longer is.
	c.health.group.over()
	c.member.Store(true)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = nil
	for _, partition := range assigned[c.config.Topic] {
		c.lives[partition] = newLife(c, partition)
		c.pauses.begin(c.lives[partition])
	}
	c.partitions.Store(int32(len(c.lives)))
	c.config.Clicks.Follow(assigned[c.config.Topic]...)
	select {
	case c.assigned <- struct{}{}:
	default:
	}
	if n := len(assigned[c.config.Topic]); n > 0 {
		c.config.Log.Info("partitions assigned", "partitions", assigned[c.config.Topic])
	}
}

// onOffsetsFetched tells each life where the group stands. It comes after onAssigned and before any record.
func (c *Consumer) onOffsetsFetched(ctx context.Context, _ *kgo.Client, response *kmsg.OffsetFetchResponse) error {
	var ends kadm.ListedOffsets
	for _, group := range response.Groups {
		for _, topic := range group.Topics {
			if topic.Topic != c.config.Topic {
				continue
			}
			for _, p := range topic.Partitions {
				l := c.life(p.Partition)
				if l == nil || p.ErrorCode != 0 {
					continue
				}
				committed := position{offset: p.Offset}
				if p.Metadata != nil {
					committed.metadata = *p.Metadata
				}
				done, err := decodeMetadata(c.topicID, committed.offset, committed.metadata)
				if err == nil && done != nil {
					if ends == nil {
						if ends, err = c.askEnds(ctx); err != nil {
							return err
						}
					}
					err = c.plausible(ends, p.Partition, done)
				}
				if err != nil {
					done = nil
					c.config.Log.Warn("ignoring which offsets were done above the committed one; their orders may be sent again",
						"partition", p.Partition, "committed", p.Offset, "error", err)
				}
				l.begin(committed, done)
			}
		}
	}
	return nil
}

// askEnds lists the ends of the partitions, however often it takes: that the brokers cannot tell now says nothing about
// what was done, and nothing is fetched meanwhile. An error means that the session is over, and makes the client join
// and fetch the offsets anew.
func (c *Consumer) askEnds(ctx context.Context) (kadm.ListedOffsets, error) {
	for {
		ends, err := listed(kadm.NewClient(c.client).ListEndOffsets(ctx, c.config.Topic))
		if err == nil {
			return ends, nil
		}
		c.config.Log.Warn("asking where the orders end, trying again", "error", err)
		select {
		case <-time.After(commitAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// plausible refuses offsets that the partition does not have: a log that was cut back gives them to new orders,
// and those must be sent.
func (c *Consumer) plausible(ends kadm.ListedOffsets, partition int32, done spans) error {
	if end, ok := ends.Lookup(c.config.Topic, partition); !ok || done.end() > end.Offset {
		return fmt.Errorf("it goes up to offset %d, and the partition ends at %d", done.end(), end.Offset)
	}
	return nil
}

// onRevoked hands partitions over: what is under way drains, its offsets are committed, and the lives end.
// It may be called with no partitions at the end of a session.
func (c *Consumer) onRevoked(ctx context.Context, _ *kgo.Client, revoked map[string][]int32) {
	lives := c.take(revoked[c.config.Topic])
	if len(lives) == 0 {
		return
	}
	c.config.Log.Info("partitions revoked", "partitions", revoked[c.config.Topic])
	drain, cancel := context.WithTimeout(ctx, c.config.Drain)
	defer cancel()
	c.release(drain, lives)
	c.config.Clicks.Unfollow(revoked[c.config.Topic]...)
}

// onLost ends the lives of partitions that are somebody else's already: nothing may be committed, and what
// is under way is cut short, since the new owner does it again.
func (c *Consumer) onLost(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	lag := c.Lag()
	lives := c.take(lost[c.config.Topic])
	if len(lives) == 0 {
		return
	}
	c.mu.Lock()
	c.lost = &lag
	c.mu.Unlock()
	c.config.Log.Warn("partitions lost", "partitions", lost[c.config.Topic])
	c.member.Store(false)
	// A commit in flight carries the old generation and is refused by the broker. None goes out after this.
	for _, l := range lives {
		l.end()
		l.drain(l.work)
	}
	c.config.Clicks.Unfollow(lost[c.config.Topic]...)
}

// take removes the lives of partitions, so that no further record reaches them.
func (c *Consumer) take(partitions []int32) []*life {
	c.mu.Lock()
	defer c.mu.Unlock()
	var lives []*life
	for _, partition := range partitions {
		if l := c.lives[partition]; l != nil {
			lives = append(lives, l)
			c.pauses.end(l)
		}
		delete(c.lives, partition)
		delete(c.stopped, partition)
		delete(c.ends, partition)
	}
	c.partitions.Store(int32(len(c.lives)))
	return lives
}

// release drains lives until ctx ends, commits what they completed, and ends them.
func (c *Consumer) release(ctx context.Context, lives []*life) {
	var draining sync.WaitGroup
	for _, l := range lives {
		draining.Go(func() { l.drain(ctx) })
	}
	draining.Wait()
	// The drain may have used up its time, but what it completed must not be sent again.
	commit, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitGrace)
	defer cancel()
	c.commitLast(commit, lives)
	// A commit of the loop may be in flight for these partitions: it must land while they are ours.
	if c.takeTurn(commit) {
		defer c.endTurn()
	}
	unwritten := 0
	for _, l := range lives {
		if !l.hasEnded() { // a stop comes here once more when the group is left
			l.end()
			unwritten += c.memory.unwritten(l.partition)
		}
	}
	if unwritten > 0 {
		c.config.Log.Warn("orders that CJ has acknowledged are given up without an outcome, since it could not be written: whoever has their partitions next sends them again",
			"orders", unwritten, "topic", c.config.OutcomesTopic)
	}
}
