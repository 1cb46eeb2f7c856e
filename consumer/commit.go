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
			// A failure is counted and said in commit. While a commit is being tried the client does not join the
			// group again, nor send heartbeats where it has to: one that took as long as the session would cost
			// the membership, and the partitions would be somebody else's without our being told.
			trying, cancel := context.WithTimeout(ctx, c.config.SessionTimeout/3)
			_ = c.commit(trying, c.allLives())
			cancel()
		case <-ctx.Done():
			return nil
		}
	}
}

// takeTurn waits until nobody else commits, or ctx ends, and reports which.
func (c *Consumer) takeTurn(ctx context.Context) bool {
	select {
	case c.commits <- struct{}{}:
		return true
	default:
	}
	select {
	case c.commits <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *Consumer) endTurn() { <-c.commits }

// errEnded skips a commit that waited for the group while one of its partitions was lost.
var errEnded = errors.New("a partition was lost")

// commit writes the committable offsets of the lives. Commits are made one at a time: whoever takes a
// partition away waits here for the one in flight, and none starts for it afterwards.
func (c *Consumer) commit(ctx context.Context, lives []*life) error {
	if !c.takeTurn(ctx) {
		return ctx.Err()
	}
	defer c.endTurn()
	offsets := map[int32]kgo.EpochOffset{}
	positions := map[int32]position{}
	byPartition := map[int32]*life{}
	for _, l := range lives {
		if next, ok := l.committable(); ok {
			offsets[l.partition] = kgo.EpochOffset{Epoch: -1, Offset: next.offset}
			positions[l.partition] = next
			byPartition[l.partition] = l
		}
	}
	if len(offsets) == 0 {
		// What could not be committed is somebody else's by now: that trouble is over, too.
		c.health.commits.over()
		return nil
	}
	// A commit waits while the group is being joined, and would go out with the new membership.
	ctx = kgo.PreCommitFnContext(ctx, func(request *kmsg.OffsetCommitRequest) error {
		for _, l := range byPartition {
			if l.hasEnded() {
				return errEnded
			}
		}
		for _, topic := range request.Topics {
			for i := range topic.Partitions {
				metadata := positions[topic.Partitions[i].Partition].metadata
				topic.Partitions[i].Metadata = &metadata
			}
		}
		return nil
	})
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
					byPartition[p.Partition].noteCommitted(positions[p.Partition])
				}
			}
		})
	switch {
	case failed == nil:
		c.metrics.commits.WithLabelValues("ok").Inc()
		c.health.commits.over()
	case errors.Is(failed, context.Canceled), errors.Is(failed, errEnded):
	default:
		if errors.Is(failed, kerr.OffsetMetadataTooLarge) {
			c.bare.Store(true)
		}
		c.metrics.commits.WithLabelValues("failed").Inc()
		c.health.commits.trouble(fmt.Errorf("committing offsets: %w", failed))
		c.config.Log.Warn("commit failed, will be made again", "error", failed)
	}
	return failed
}

// commitAgain is how soon the last commit of a partition is made again when it fails.
const commitAgain = 100 * time.Millisecond

// commitLast commits before partitions are given up. What is not committed now is sent to CJ once more by
// their next owner, so a failure is tried again until ctx ends or the group does not know us any more.
func (c *Consumer) commitLast(ctx context.Context, lives []*life) {
	for {
		err := c.commit(ctx, lives)
		if err == nil || errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.FencedInstanceID) {
			return
		}
		select {
		case <-time.After(commitAgain):
		case <-ctx.Done():
			return
		}
	}
}
