package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitLoop commits on an interval: one request for all partitions. A commit that fails is made again at
// the next tick with whatever is committable then.
func (c *Consumer) commitLoop(ctx context.Context) error {
	ticker := time.NewTicker(c.config.CommitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			c.commit(ctx, c.allLives())
		case <-ctx.Done():
			return nil
		}
	}
}

// commit writes the committable offsets of the lives. Commits are made one at a time: whoever takes a
// partition away waits here for the one in flight, and none starts for it afterwards.
func (c *Consumer) commit(ctx context.Context, lives []*life) {
	c.commits.Lock()
	defer c.commits.Unlock()
	offsets := map[int32]kgo.EpochOffset{}
	byPartition := map[int32]*life{}
	for _, l := range lives {
		if offset, ok := l.committable(); ok {
			offsets[l.partition] = kgo.EpochOffset{Epoch: -1, Offset: offset}
			byPartition[l.partition] = l
		}
	}
	if len(offsets) == 0 {
		return
	}
	var failed error
	c.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{c.config.Topic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, response *kmsg.OffsetCommitResponse, err error) {
			failed = err
			if err != nil {
				return
			}
			for _, topic := range response.Topics {
				for _, p := range topic.Partitions {
					if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
						failed = fmt.Errorf("partition %d: %w", p.Partition, err)
						continue
					}
					byPartition[p.Partition].noteCommitted(offsets[p.Partition].Offset)
				}
			}
		})
	switch {
	case failed == nil:
		c.metrics.commits.WithLabelValues("ok").Inc()
		c.health.commits.over()
	case errors.Is(failed, context.Canceled):
	default:
		c.metrics.commits.WithLabelValues("failed").Inc()
		c.health.commits.trouble(fmt.Errorf("committing offsets: %w", failed))
		c.config.Log.Warn("commit failed, will be made again", "error", failed)
	}
}
