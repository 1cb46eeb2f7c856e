package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// errRemade says that the orders' topic is not the one that was read.
var errRemade = errors.New("was deleted and made anew: restart cjrelay, which begins the new topic at orders.start unless the group has offsets of it")

// remadeTimeout is how long the question takes at most. It goes to any broker: one that hangs must leave time to ask another.
const remadeTimeout = time.Second

// sameTopic returns errRemade when the orders' topic was made anew since we began. Commits name the topic, and only those
// to Kafka 4.2 and later its id, too: an offset of the old topic would skip the orders of the new one. So it is asked
// before each of them, by a request of its own: the client's idea of the topic may be half a minute old.
func (c *Consumer) sameTopic(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, remadeTimeout)
	defer cancel()
	request := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &c.config.Topic
	request.Topics = append(request.Topics, topic)
	metadata, err := request.RequestWith(ctx, c.client)
	if err != nil {
		return err
	}
	for _, now := range metadata.Topics {
		// Brokers of before Kafka 2.8 know no ids.
		if none := [16]byte{}; now.ErrorCode == 0 && now.TopicID != c.topicID && now.TopicID != none && c.topicID != none {
			return errRemade
		}
	}
	return nil
}

// stopIfRemade stops our partitions where the topic was made anew. It returns errRemade then, or why that is not known.
func (c *Consumer) stopIfRemade(ctx context.Context) error {
	err := c.sameTopic(ctx)
	if errors.Is(err, errRemade) {
		for _, l := range c.allLives() {
			c.stop(l, fmt.Errorf("topic %s %w", c.config.Topic, err))
		}
	}
	return err
}
