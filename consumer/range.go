package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func isOutOfRange(err error) bool { return errors.Is(err, kerr.OffsetOutOfRange) }

// rangeTimeout is how long the log's range is asked for. The group cannot rebalance meanwhile: offsets are set only while
// the partitions are surely ours. What could not be settled comes up again with the next poll.
const rangeTimeout = 5 * time.Second

// outOfRange settles partitions whose offset the log does not have.
func (c *Consumer) outOfRange(ctx context.Context, partitions []int32) {
	asking, cancel := context.WithTimeout(ctx, rangeTimeout)
	defer cancel()
	starts, ends, err := c.logRanges(asking)
	if err != nil {
		c.config.Log.Warn("offset out of range, and the log's range cannot be asked", "partitions", partitions, "error", err)
		return
	}
	for _, partition := range partitions {
		start, known := starts.Lookup(c.config.Topic, partition)
		end, _ := ends.Lookup(c.config.Topic, partition)
		if l := c.life(partition); l != nil && known {
			c.settleRange(l, start.Offset, end.Offset)
		}
	}
}

// settleRange goes on where a partition can be read. Below the log's start, retention has removed orders that were
// never sent: that is said loudly, and reading goes on at the start, since waiting brings nothing back. Beyond the end,
// the topic is not the one the group had read: starting anywhere would be a guess that fires orders again, so the
// partition stops and asks.
func (c *Consumer) settleRange(l *life, start, end int64) {
	at := max(l.standing().Next, 0)
	switch {
	case at < start:
		lost := l.lost(at, start)
		c.metrics.lost.Add(float64(lost))
		c.config.Log.Error("lost_to_retention: the topic's retention removed orders before they had an outcome",
			"partition", l.partition, "from", at, "to", start, "orders", lost)
		// So that the gap is committed, and not reported again after a restart.
		l.skipTo(start)
		at = start
	case at > end:
		c.stop(l, fmt.Errorf("partition %d: the group's offset %d is beyond the end of topic %s, which was perhaps made anew: "+
			"stop cjrelay, set the offset with kafka-consumer-groups.sh --reset-offsets, start again", l.partition, at, c.config.Topic))
		return
	}
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.config.Topic: {l.partition: {Epoch: -1, Offset: at}}})
}

// logRanges is where the partitions begin and end.
func (c *Consumer) logRanges(ctx context.Context) (starts, ends kadm.ListedOffsets, err error) {
	admin := kadm.NewClient(c.client)
	if starts, err = listed(admin.ListStartOffsets(ctx, c.config.Topic)); err != nil {
		return nil, nil, err
	}
	ends, err = listed(admin.ListEndOffsets(ctx, c.config.Topic))
	return starts, ends, err
}

// stop gives a partition up until it is assigned anew, and says why. It pauses too: the client would ask for
// the impossible offset again and again.
func (c *Consumer) stop(l *life, reason error) {
	c.mu.Lock()
	_, known := c.stopped[l.partition]
	c.stopped[l.partition] = reason
	c.mu.Unlock()
	if !known {
		c.pauses.pause(l, PauseOffsets)
		c.config.Log.Error("partition stopped", "partition", l.partition, "error", reason)
	}
}
