package sessions

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// probeEvery is how long a waiting table may stand still before its tail is probed.
const probeEvery = 250 * time.Millisecond

// probe looks for ends that no record will ever show. Compaction and retention can empty the tail of a
// partition: its end stays where it was, nothing is left to poll, and the client does not tell how far it
// has looked. Without this the gate would stay shut until the next click.
func (t *Table) probe(ctx context.Context) error {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	var before uint64
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		positions, advances := t.progress.lacking()
		if len(positions) > 0 && advances == before {
			t.probeTails(ctx, positions)
		}
		before = advances
	}
}

// probeTails asks each partition's leader what stands at our position. Errors are left to the next probe:
// the gate stays shut, which is safe.
func (t *Table) probeTails(ctx context.Context, positions map[int32]int64) {
	topic, err := t.describe(ctx)
	// The offsets of a topic that was made anew say nothing about the clicks of the old one.
	if err != nil {
		return
	}
	for partition, position := range positions {
		answer, err := t.fetchAt(ctx, topic, partition, position)
		switch {
		case err == nil:
			t.progress.advance(partition, emptyUntil(answer, t.config.Topic, position))
		case errors.Is(err, kerr.OffsetOutOfRange):
			// Retention removed what stood there. The reader goes on at the log's start by itself, but when
			// nothing is left there it has nothing to show.
			if starts, err := listOffsets(ctx, t.client, t.config.Topic, []int32{partition}, earliest); err == nil {
				t.progress.advance(partition, starts[partition])
			}
		}
	}
}

// fetchAt reads one partition from a position, as the table's own client would.
func (t *Table) fetchAt(ctx context.Context, topic described, partition int32, position int64) (*kmsg.FetchResponseTopicPartition, error) {
	request := kmsg.NewPtrFetchRequest()
	request.MaxBytes = 1 << 20
	request.IsolationLevel = 1
	request.SessionEpoch = -1
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, position, 1<<20
	asked := kmsg.NewFetchRequestTopic()
	asked.Topic, asked.TopicID = t.config.Topic, topic.id
	asked.Partitions = append(asked.Partitions, p)
	request.Topics = append(request.Topics, asked)

	response, err := t.client.Broker(int(topic.leaders[partition])).RetriableRequest(ctx, request)
	if err != nil {
		return nil, err
	}
	for _, topic := range response.(*kmsg.FetchResponse).Topics {
		for i := range topic.Partitions {
			if answer := &topic.Partitions[i]; answer.Partition == partition {
				return answer, kerr.ErrorForCode(answer.ErrorCode)
			}
		}
	}
	// A broker that throttles us leaves the partition out: that says nothing.
	return nil, kerr.UnknownTopicOrPartition
}

// emptyUntil is the offset up to which the answer proves that there is no record for us, or position when
// it proves nothing. A record, even a control record, proves nothing here: the reader will get to it.
func emptyUntil(answer *kmsg.FetchResponseTopicPartition, topic string, position int64) int64 {
	if len(answer.RecordBatches) == 0 {
		return answer.LastStableOffset
	}
	options := kgo.ProcessFetchPartitionOpts{
		KeepControlRecords: true,
		Offset:             position,
		IsolationLevel:     kgo.ReadCommitted(),
		Topic:              topic,
		Partition:          answer.Partition,
	}
	read, next := kgo.ProcessFetchPartition(options, answer, kgo.DefaultDecompressor(), nil)
	if read.Err != nil || len(read.Records) > 0 {
		return position
	}
	return next
}
