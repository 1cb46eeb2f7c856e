package sessions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Gate holds the orders of one batch back until the table is fresh enough to judge them. All orders of the
// batch share one listing, which starts when the first of them waits.
type Gate struct {
	table   *Table
	once    sync.Once
	listing *listing
}

// Gate is taken after a batch of orders was read.
func (t *Table) Gate() *Gate { return &Gate{table: t} }

// Wait returns nil once the table has read past the end of the click topic as listed after this call's
// batch was read, or the context's error. It holds no connection and no lock meanwhile.
func (g *Gate) Wait(ctx context.Context) error {
	g.once.Do(func() { g.listing = g.table.lister.request() })
	select {
	case <-g.listing.fresh:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// lister collects those who need a listing that starts after now. While one listing runs, everybody who
// comes shares the next.
type lister struct {
	mu sync.Mutex
	// next is for everybody who comes now; current is being made.
	next, current *listing
	wanted        chan struct{}
}

func newLister() *lister { return &lister{wanted: make(chan struct{}, 1)} }

func (l *lister) request() *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil {
		l.next = newListing()
		select {
		case l.wanted <- struct{}{}:
		default:
		}
	}
	return l.next
}

func (l *lister) take() *listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next, l.current = nil, l.next
	return l.current
}

// done notes that the current listing was made.
func (l *lister) done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.current = nil
}

// waitingSince is when the oldest listing was asked for that is not made yet.
func (l *lister) waitingSince() (since time.Time, waiting bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, wanted := range []*listing{l.current, l.next} {
		if wanted != nil {
			return wanted.since, true
		}
	}
	return time.Time{}, false
}

// relistEvery is how often the topic is listed when no order asks, so that added partitions are read and
// trouble is seen, and seen to end, before an order needs the table.
const relistEvery = 10 * time.Second

// list answers requests for listings, one at a time, until ctx ends.
func (t *Table) list(ctx context.Context) error {
	ticker := time.NewTicker(relistEvery)
	defer ticker.Stop()
	for {
		select {
		case <-t.lister.wanted:
		case <-ticker.C:
			t.lister.request()
			continue
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := t.answer(ctx, t.lister.take()); err != nil {
			return err
		}
	}
}

// answer lists the topic for those who wait, however often it takes. It fails only when ctx ends.
func (t *Table) answer(ctx context.Context, wanted *listing) error {
	waits := newWaits()
	for {
		topic, err := t.listOnce(ctx)
		if err == nil {
			t.troubles.set(listingEnds, nil)
			t.follow(topic.starts)
			if t.progress.await(wanted, topic.ends) {
				t.troubles.set(reading, nil)
			}
			t.lister.done()
			return nil
		}
		t.troubles.set(listingEnds, fmt.Errorf("listing the end of the click topic: %w", err))
		select {
		case <-time.After(waits.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follow starts to read partitions that are not read yet: all of them at first, added ones later.
func (t *Table) follow(starts map[int32]int64) {
	added := map[int32]kgo.Offset{}
	for partition, start := range starts {
		if t.progress.start(partition, start) {
			added[partition] = kgo.NewOffset().At(start)
		}
	}
	if len(added) > 0 {
		t.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{t.config.Topic: added})
	}
}

// extent is the click topic at one moment: the ends of all partitions, the starts of those not yet read.
type extent struct{ starts, ends map[int32]int64 }

// identify refuses a topic that is not the one the table was filled from.
func (t *Table) identify(id [16]byte) error {
	if t.topicID.CompareAndSwap(nil, &id) || *t.topicID.Load() == id {
		return nil
	}
	return fmt.Errorf("topic %s was deleted and made anew: restart to rebuild the table from it", t.config.Topic)
}

// listOnce asks for the topic's partitions and their first and last stable offsets. The partitions are
// asked for anew each time: a click in a partition that was added a moment ago counts too.
func (t *Table) listOnce(ctx context.Context) (extent, error) {
	partitions, id, err := describe(ctx, t.client, t.config.Topic)
	if err != nil {
		return extent{}, err
	}
	if err := t.identify(id); err != nil {
		return extent{}, err
	}
	var topic extent
	var unknown []int32
	for partition := range partitions {
		if !t.progress.reads(partition) {
			unknown = append(unknown, partition)
		}
	}
	if len(unknown) > 0 {
		if topic.starts, err = listOffsets(ctx, t.client, t.config.Topic, unknown, earliest); err != nil {
			return extent{}, err
		}
	}
	read := t.progress.positions()
	if topic.ends, err = listOffsets(ctx, t.client, t.config.Topic, slices.Collect(maps.Keys(partitions)), latest); err != nil {
		return extent{}, err
	}
	// A log does not get shorter. Its end would open the gate for clicks that the table has never seen.
	for partition, end := range topic.ends {
		if end < read[partition] {
			return extent{}, fmt.Errorf("partition %d of topic %s ends at %d, before offset %d that was read already: "+
				"it lost records or was made anew; restart to rebuild the table from it", partition, t.config.Topic, end, read[partition])
		}
	}
	return topic, nil
}

// describe asks Kafka for the topic's id and each partition's leader, past every cache.
func describe(ctx context.Context, client *kgo.Client, topic string) (leaders map[int32]int32, id [16]byte, err error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic}}
	response, err := request.RequestWith(ctx, client)
	if err != nil {
		return nil, id, err
	}
	if len(response.Topics) != 1 {
		return nil, id, errors.New("the broker's answer does not have the topic")
	}
	described := response.Topics[0]
	if err := kerr.ErrorForCode(described.ErrorCode); err != nil {
		return nil, id, err
	}
	leaders = map[int32]int32{}
	for _, partition := range described.Partitions {
		leaders[partition.Partition] = partition.Leader
	}
	return leaders, described.TopicID, nil
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
