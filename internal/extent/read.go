package extent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/errgroup"
)

const (
	// parallel is how many partitions are read at once.
	parallel = 8
	// fetchBytes is the most that one fetch brings, but for a single batch that is larger.
	fetchBytes = 1 << 20
	// fetchWait is how long a broker waits for more before it answers.
	fetchWait = 100 * time.Millisecond
	// patience is how long a partition may bring nothing but errors before reading it is given up.
	patience = 30 * time.Second
	// again is how soon a fetch that failed is made again.
	again = 100 * time.Millisecond
)

// Batch is what one fetch brought of a partition.
type Batch struct {
	Partition int32
	// Records are the committed ones, control records not among them, in offset order. There may be none.
	Records []*kgo.Record
	// From and Next are where the batch begins and where reading goes on.
	From, Next int64
}

// Read hands each the extent's committed records. Batches of one partition come in their order and one at a time;
// those of different partitions at once. The first error of each, or of reading, ends it.
//
// It asks the partitions' leaders itself: a consumer is not told of offsets that hold nothing for it (aborted
// records, markers, what the log cleaner took), and would wait for ever for an end that is one of them.
func (e Extent) Read(ctx context.Context, client *kgo.Client, each func(Batch) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for partition, r := range e.Partitions {
		if r.From < r.To {
			reading := &reading{client: client, topic: e.Topic, partition: partition, at: r.From, to: r.To}
			group.Go(func() error { return reading.run(ctx, each) })
		}
	}
	return group.Wait()
}

// reading is one partition of an extent.
type reading struct {
	client    *kgo.Client
	topic     string
	partition int32
	// at is the next offset to read.
	at, to int64
	// leader is -1 until it was asked for, and after an answer that says it is another.
	leader int32
	id     [16]byte
}

func (r *reading) run(ctx context.Context, each func(Batch) error) error {
	r.leader = -1
	moved := time.Now()
	for r.at < r.to {
		from := r.at
		records, err := r.fetch(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil && r.at > from {
			moved = time.Now()
			if err := each(Batch{Partition: r.partition, Records: records, From: from, Next: r.at}); err != nil {
				return err
			}
			continue
		}
		if permanent(err) || time.Since(moved) > patience {
			return fmt.Errorf("reading %s[%d] at offset %d of %d: %w", r.topic, r.partition, r.at, r.to, cmp.Or(err, errNothing))
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

var errNothing = fmt.Errorf("nothing has come for %s", patience)

// permanent tells errors of Kafka's that time does not heal from those that it may, and from the network's.
func permanent(err error) bool {
	var answered *kerr.Error
	return errors.As(err, &answered) && !answered.Retriable
}

// fetch reads once and moves on.
func (r *reading) fetch(ctx context.Context) ([]*kgo.Record, error) {
	if err := r.locate(ctx); err != nil {
		return nil, err
	}
	answer, err := r.ask(ctx)
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		return nil, r.skipGone(ctx)
	case err != nil:
		r.leader = -1
		return nil, err
	case answer == nil: // a broker that throttles us leaves the partition out
		return nil, nil
	case len(answer.RecordBatches) == 0:
		// Nothing stands between here and the last stable offset.
		r.at = min(max(r.at, answer.LastStableOffset), r.to)
		return nil, nil
	}
	read, next := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{
		Offset: r.at, IsolationLevel: kgo.ReadCommitted(), Topic: r.topic, Partition: r.partition,
	}, answer, kgo.DefaultDecompressor(), nil)
	if read.Err != nil {
		return nil, read.Err
	}
	r.at = min(max(r.at, next), r.to)
	for i, record := range read.Records {
		if record.Offset >= r.to {
			return read.Records[:i], nil
		}
	}
	return read.Records, nil
}

// locate finds the partition's leader.
func (r *reading) locate(ctx context.Context) error {
	if r.leader >= 0 {
		return nil
	}
	// Not the client's own knowledge, which is what has just turned out to be wrong.
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = append(request.Topics, kmsg.MetadataRequestTopic{Topic: &r.topic})
	response, err := request.RequestWith(ctx, r.client)
	if err != nil {
		return err
	}
	for _, topic := range response.Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return err
		}
		for _, partition := range topic.Partitions {
			if partition.Partition == r.partition && partition.Leader >= 0 {
				r.leader, r.id = partition.Leader, topic.TopicID
				return nil
			}
		}
	}
	return kerr.LeaderNotAvailable
}

// ask makes one fetch request.
func (r *reading) ask(ctx context.Context) (*kmsg.FetchResponseTopicPartition, error) {
	request := kmsg.NewPtrFetchRequest()
	request.MaxBytes, request.MinBytes, request.MaxWaitMillis = fetchBytes, 1, int32(fetchWait.Milliseconds())
	request.IsolationLevel = 1
	request.SessionEpoch = -1
	partition := kmsg.NewFetchRequestTopicPartition()
	partition.Partition, partition.FetchOffset, partition.PartitionMaxBytes = r.partition, r.at, fetchBytes
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = r.topic, r.id
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	response, err := r.client.Broker(int(r.leader)).RetriableRequest(ctx, request)
	if err != nil {
		return nil, err
	}
	answers := response.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(answers.ErrorCode); err != nil {
		return nil, err
	}
	for _, topic := range answers.Topics {
		for i := range topic.Partitions {
			if answer := &topic.Partitions[i]; answer.Partition == r.partition {
				return answer, kerr.ErrorForCode(answer.ErrorCode)
			}
		}
	}
	return nil, nil
}

// skipGone goes on where the log begins now: retention has taken what was before.
func (r *reading) skipGone(ctx context.Context) error {
	starts, err := listed(kadm.NewClient(r.client).ListStartOffsets(ctx, r.topic))
	if err != nil {
		return err
	}
	start, _ := starts.Lookup(r.topic, r.partition)
	if start.Offset <= r.at {
		return fmt.Errorf("the partition ends before it: %w", kerr.OffsetOutOfRange)
	}
	r.at = min(start.Offset, r.to)
	return nil
}
