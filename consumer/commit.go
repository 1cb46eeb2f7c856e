package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitGrace is how long the last commit of a partition may take after its drain.
const commitGrace = 5 * time.Second

// commitLoop commits on an interval: one request for all partitions. A commit that fails is made again at
// the next tick with whatever is committable then.
func (c *Consumer) commitLoop(ctx context.Context) error {
	ticker := time.NewTicker(c.config.CommitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			// A failure is counted and said in commit. One that brokers do not answer must not keep its turn for
			// as long as the last commit of a partition that is taken away can wait.
			trying, cancel := context.WithTimeout(ctx, commitGrace/2)
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

// doubt is how long a commit without an answer may still land. The next one goes by another connection, and may come
// before it: until then what stands is committed again and again, so that an older offset does not stay.
const doubt = time.Minute

// errEnded skips a commit of which a partition was lost meanwhile.
var errEnded = errors.New("a partition was lost")

// commit writes the committable offsets of the lives. Commits are made one at a time: whoever takes a
// partition away waits here for the one in flight, and none starts for it afterwards.
func (c *Consumer) commit(ctx context.Context, lives []*life) error {
	if !c.takeTurn(ctx) {
		return ctx.Err()
	}
	defer c.endTurn()
	positions := map[int32]position{}
	byPartition := map[int32]*life{}
	for _, l := range lives {
		if next, ok := l.committable(time.Now().Before(c.doubtUntil)); ok {
			positions[l.partition] = next
			byPartition[l.partition] = l
		}
	}
	if len(positions) == 0 {
		// What could not be committed is somebody else's by now: that trouble is over, too.
		c.health.commits.over()
		return nil
	}
	failed := c.stopIfRemade(ctx)
	if failed == nil {
		failed = c.requestCommit(ctx, positions, byPartition)
	}
	switch {
	case failed == nil:
		c.metrics.commits.WithLabelValues("ok").Inc()
		c.health.commits.over()
	case errors.Is(failed, context.Canceled), errors.Is(failed, errEnded):
	case errors.Is(failed, errRemade):
		// Its partitions have stopped and say so. No other try would do better.
		c.metrics.commits.WithLabelValues("failed").Inc()
	default:
		if errors.Is(failed, kerr.OffsetMetadataTooLarge) {
			c.shorten(positions)
		}
		c.metrics.commits.WithLabelValues("failed").Inc()
		c.health.commits.trouble(fmt.Errorf("committing offsets: %w", failed))
		c.config.Log.Warn("commit failed, will be made again", "error", failed)
	}
	return failed
}

// metadataRoom is how long the metadata of a commit may be, in bytes: half of what was too long for the brokers, and
// nothing where even a few spans were.
func (c *Consumer) metadataRoom() int {
	switch refused := int(c.refusedMetadata.Load()); {
	case refused == 0:
		return metadataLimit
	case refused < 64:
		return 0
	default:
		return refused / 2
	}
}

// shorten makes the next commits' metadata shorter than that of one that was refused: offsets must be committed all the
// same, and what does not fit is sent again after a restart.
func (c *Consumer) shorten(refused map[int32]position) {
	longest := 1
	for _, at := range refused {
		longest = max(longest, len(at.metadata))
	}
	c.refusedMetadata.Store(int64(longest))
	c.config.Log.Warn("the brokers take less metadata with a commit than Kafka's default of 4096 bytes: raise their offset.metadata.max.bytes, "+
		"or orders that were done are sent again after a restart", "refused", longest, "next", c.metadataRoom())
}

// errNoMember says that the group has not taken us in yet, or not again.
var errNoMember = errors.New("not a member of the group")

// requestCommit asks the coordinator itself, with our membership as it is now. The client's own commits wait while the
// group is being joined, which takes as long as a member that has died may still come back; the coordinator takes
// commits all that time. It refuses them when the membership is over, and while it waits for the new assignment.
func (c *Consumer) requestCommit(ctx context.Context, positions map[int32]position, lives map[int32]*life) error {
	request := kmsg.NewPtrOffsetCommitRequest()
	request.Group = c.config.Group
	request.MemberID, request.Generation = c.client.GroupMetadata()
	// In this order: partitions that are not lost yet are ours in the generation that was read before.
	for _, l := range lives {
		if l.hasEnded() {
			return errEnded
		}
	}
	if request.MemberID == "" || request.Generation < 0 {
		return errNoMember // the coordinator would take it for a commit from outside of the group
	}
	if c.config.InstanceID != "" {
		request.InstanceID = &c.config.InstanceID
	}
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID = c.config.Topic, c.topicID
	for partition, at := range positions {
		p := kmsg.NewOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.Metadata = partition, at.offset, &at.metadata
		topic.Partitions = append(topic.Partitions, p)
	}
	request.Topics = append(request.Topics, topic)
	response, err := request.RequestWith(ctx, c.client)
	if err != nil {
		c.doubtUntil = time.Now().Add(doubt)
		return err
	}
	var failed error
	for _, topic := range response.Topics {
		for _, p := range topic.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				failed = fmt.Errorf("partition %d: %w", p.Partition, err)
				continue
			}
			if l, asked := lives[p.Partition]; asked {
				l.noteCommitted(positions[p.Partition])
			}
		}
	}
	return failed
}

// commitAgain is how soon the last commit of a partition is made again when it fails.
const commitAgain = 100 * time.Millisecond

// commitLast commits before partitions are given up. What is not committed now is sent to CJ once more by
// their next owner, so a failure is tried again until ctx ends or the group does not know us any more. A generation
// that is over is no such failure: the next one may have begun since we looked.
func (c *Consumer) commitLast(ctx context.Context, lives []*life) {
	for {
		err := c.commit(ctx, lives)
		if err == nil || errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, errRemade) {
			return
		}
		select {
		case <-time.After(commitAgain):
		case <-ctx.Done():
			return
		}
	}
}
