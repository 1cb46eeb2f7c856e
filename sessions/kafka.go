package sessions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// described is a topic as the brokers have it now.
type described struct {
	id [16]byte
	// leaders has every partition.
	leaders map[int32]int32
}

// describe asks Kafka for topics, past every cache.
func describe(ctx context.Context, client *kgo.Client, topics ...string) (map[string]described, error) {
	request := kmsg.NewPtrMetadataRequest()
	for _, topic := range topics {
		request.Topics = append(request.Topics, kmsg.MetadataRequestTopic{Topic: &topic})
	}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	found := map[string]described{}
	for _, topic := range response.Topics {
		if topic.Topic == nil {
			continue
		}
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return nil, fmt.Errorf("topic %s: %w", *topic.Topic, err)
		}
		leaders := map[int32]int32{}
		for _, partition := range topic.Partitions {
			leaders[partition.Partition] = partition.Leader
		}
		found[*topic.Topic] = described{topic.TopicID, leaders}
	}
	if len(found) != len(topics) {
		return nil, errors.New("the broker's answer does not have the topic")
	}
	return found, nil
}

// tombstonesLive is how long the topic keeps a tombstone: its delete.retention.ms.
func tombstonesLive(ctx context.Context, client *kgo.Client, topic string) (time.Duration, error) {
	const setting = "delete.retention.ms"
	request := kmsg.NewPtrDescribeConfigsRequest()
	resource := kmsg.NewDescribeConfigsRequestResource()
	resource.ResourceType, resource.ResourceName, resource.ConfigNames = kmsg.ConfigResourceTypeTopic, topic, []string{setting}
	request.Resources = append(request.Resources, resource)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return 0, err
	}
	for _, resource := range response.Resources {
		if err := kerr.ErrorForCode(resource.ErrorCode); err != nil {
			return 0, fmt.Errorf("asking for %s of topic %s: %w", setting, topic, err)
		}
		for _, config := range resource.Configs {
			if config.Name == setting && config.Value != nil {
				milliseconds, err := strconv.ParseInt(*config.Value, 10, 64)
				// Some write "for ever" as the largest number there is, which as a time.Duration would be less than nothing.
				return time.Duration(min(milliseconds, math.MaxInt64/int64(time.Millisecond))) * time.Millisecond, err
			}
		}
	}
	return 0, fmt.Errorf("the brokers do not tell %s of topic %s", setting, topic)
}

// The two times that ListOffsets takes for the ends of a log.
const (
	latest   int64 = -1
	earliest int64 = -2
)

// listOffsets asks for one end of each partition. With read_committed the latest is the last stable offset:
// a click in an open transaction is not there yet.
func listOffsets(ctx context.Context, client *kgo.Client, topic string, partitions []int32, which int64) (map[int32]int64, error) {
	request := kmsg.NewPtrListOffsetsRequest()
	request.IsolationLevel = 1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = topic
	for _, partition := range partitions {
		p := kmsg.NewListOffsetsRequestTopicPartition()
		p.Partition = partition
		p.Timestamp = which
		asked.Partitions = append(asked.Partitions, p)
	}
	request.Topics = append(request.Topics, asked)
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, t := range response.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return nil, fmt.Errorf("partition %d: %w", p.Partition, err)
			}
			offsets[p.Partition] = p.Offset
		}
	}
	// A partition that the answer leaves out must not count as read.
	if len(offsets) != len(partitions) {
		return nil, fmt.Errorf("the brokers listed %d of %d partitions", len(offsets), len(partitions))
	}
	return offsets, nil
}
