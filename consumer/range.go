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
	admin := kadm.NewClient(c.client)
	starts, err := listed(admin.ListStartOffsets(ctx, c.config.Topic))
	if err != nil {
		c.config.Log.Warn("offset out of range, and the log's start cannot be asked", "partition", partition, "error", err)
		return
	}
	start, _ := starts.Lookup(c.config.Topic, partition)
	at := l.standing().Next
	if at < start.Offset {
		lost := start.Offset - max(at, 0)
		c.metrics.lost.Add(float64(lost))
		c.config.Log.Error("lost_to_retention: the topic's retention removed orders before they had an outcome",
			"partition", partition, "from", max(at, 0), "to", start.Offset, "orders", lost)
		c.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{c.config.Topic: {partition: {Epoch: -1, Offset: start.Offset}}})
		return
	}
	reason := fmt.Errorf("partition %d: the group's offset %d is beyond the end of topic %s, which was perhaps made anew: "+
		"stop cjrelay, set the offset with kafka-consumer-groups.sh --reset-offsets, start again", partition, at, c.config.Topic)
	c.mu.Lock()
	_, known := c.stopped[partition]
	c.stopped[partition] = reason
	c.mu.Unlock()
	if !known {
		c.config.Log.Error("partition stopped", "error", reason)
	}
}
