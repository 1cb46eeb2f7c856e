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

// commitGrace is how long the last commit of a partition may take after its drain.
const commitGrace = 5 * time.Second

func isOutOfRange(err error) bool { return errors.Is(err, kerr.OffsetOutOfRange) }

// outOfRange settles a partition whose offset the log does not have. Below the log's start, retention has
// removed orders that were never sent: that is said loudly, and reading goes on at the start, since waiting
// brings nothing back. Beyond the end, the topic is not the one the group had read: starting anywhere would
// be a guess that fires orders again, so the partition stops and asks.
func (c *Consumer) outOfRange(ctx context.Context, partition int32) {
	l := c.life(partition)
	if l == nil {
		return
	}
	starts, ends, err := c.logRange(ctx, partition)
	if err != nil {
		c.config.Log.Warn("offset out of range, and the log's range cannot be asked", "partition", partition, "error", err)
		return
	}
	at := max(l.standing().Next, 0)
	switch {
	case at < starts:
		lost := starts - at
		c.metrics.lost.Add(float64(lost))
		c.config.Log.Error("lost_to_retention: the topic's retention removed orders before they had an outcome",
			"partition", partition, "from", at, "to", starts, "orders", lost)
		// So that the gap is committed, and not reported again after a restart.
		l.skipTo(starts)
		at = starts
	case at > ends:
		c.stop(l, fmt.Errorf("partition %d: the group's offset %d is beyond the end of topic %s, which was perhaps made anew: "+
			"stop cjrelay, set the offset with kafka-consumer-groups.sh --reset-offsets, start again", partition, at, c.config.Topic))
		return
	}
	c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.config.Topic: {partition: {Epoch: -1, Offset: at}}})
}

// logRange is where a partition begins and ends.
func (c *Consumer) logRange(ctx context.Context, partition int32) (starts, ends int64, err error) {
	admin := kadm.NewClient(c.client)
	first, err := listed(admin.ListStartOffsets(ctx, c.config.Topic))
	if err != nil {
		return 0, 0, err
	}
	last, err := listed(admin.ListEndOffsets(ctx, c.config.Topic))
	if err != nil {
		return 0, 0, err
	}
	start, _ := first.Lookup(c.config.Topic, partition)
	end, _ := last.Lookup(c.config.Topic, partition)
	return start.Offset, end.Offset, nil
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
		c.config.Log.Error("partition stopped", "error", reason)
	}
}
