package chaos

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// Letter is one record of the dead-letter topic.
type Letter struct {
	Reason, Trace string
	Key, Value    []byte
}

// clerk reads the outcomes and the dead letters as they come.
type clerk struct {
	outcomesTopic, lettersTopic string
	client                      *kgo.Client

	mu       sync.Mutex
	outcomes map[Place][]schema.OutcomeRecord
	letters  map[Place][]Letter
	// strange describes records that should not be in these topics.
	strange []string
	// read is how far each partition was read, changed is closed and replaced when something was.
	read    map[string]map[int32]int64
	changed chan struct{}
}

func newClerk(options []kgo.Opt, outcomes, letters string) (*clerk, error) {
	client, err := kgo.NewClient(append(options, kgo.ConsumeTopics(outcomes, letters), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	c := &clerk{outcomesTopic: outcomes, lettersTopic: letters, client: client, outcomes: map[Place][]schema.OutcomeRecord{}, letters: map[Place][]Letter{},
		read: map[string]map[int32]int64{outcomes: {}, letters: {}}, changed: make(chan struct{})}
	go c.work()
	return c, nil
}

func (c *clerk) close() { c.client.Close() }

// work reads until the client is closed. Errors are the brokers' that come and go; the client tries again.
func (c *clerk) work() {
	for {
		fetches := c.client.PollFetches(context.Background())
		if fetches.IsClientClosed() {
			return
		}
		c.mu.Lock()
		fetches.EachRecord(func(r *kgo.Record) {
			take := c.takeLetter
			if r.Topic == c.outcomesTopic {
				take = c.takeOutcome
			}
			if err := take(r); err != nil {
				c.strange = append(c.strange, fmt.Sprintf("%s[%d]@%d: %v", r.Topic, r.Partition, r.Offset, err))
			}
			c.read[r.Topic][r.Partition] = r.Offset + 1
		})
		close(c.changed)
		c.changed = make(chan struct{})
		c.mu.Unlock()
	}
}

func (c *clerk) takeOutcome(r *kgo.Record) error {
	outcome, err := schema.DecodeOutcome(r.Value)
	if err != nil {
		return err
	}
	at := Place{outcome.Partition, outcome.Offset}
	c.outcomes[at] = append(c.outcomes[at], outcome)
	return nil
}

func (c *clerk) takeLetter(r *kgo.Record) error {
	headers := map[string]string{}
	for _, h := range r.Headers {
		headers[h.Key] = string(h.Value)
	}
	partition, err := strconv.ParseInt(headers["cjrelay-partition"], 10, 32)
	if err != nil {
		return fmt.Errorf("header cjrelay-partition: %w", err)
	}
	offset, err := strconv.ParseInt(headers["cjrelay-offset"], 10, 64)
	if err != nil {
		return fmt.Errorf("header cjrelay-offset: %w", err)
	}
	at := Place{int32(partition), offset}
	c.letters[at] = append(c.letters[at], Letter{headers["cjrelay-reason"], headers[traceHeader], r.Key, r.Value})
	return nil
}

// concluded is how many orders have an outcome, and a channel that closes when that may have changed.
func (c *clerk) concluded() (orders int, changed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.outcomes), c.changed
}

// await waits until that many orders have an outcome. It gives up when none had one for as long as that: work that
// goes on may take as long as the machine needs, work that stands still may not.
func (c *clerk) await(ctx context.Context, orders int, standstill time.Duration) error {
	best := -1
	timer := time.NewTimer(standstill)
	defer timer.Stop()
	for {
		now, changed := c.concluded()
		if now >= orders {
			return nil
		}
		if now > best {
			best = now
			timer.Reset(standstill)
		}
		select {
		case <-changed:
		case <-timer.C:
			return fmt.Errorf("%d of %d orders have an outcome, and for %s no other one had any", now, orders, standstill)
		case <-ctx.Done():
			return fmt.Errorf("%d of %d orders have an outcome: %w", now, orders, ctx.Err())
		}
	}
}

// readAll waits until everything that Kafka has in both topics was read.
func (c *clerk) readAll(ctx context.Context, admin *kadm.Client) error {
	for _, topic := range []string{c.outcomesTopic, c.lettersTopic} {
		ends, err := retried(ctx, func() (kadm.ListedOffsets, error) { return endsOf(ctx, admin, topic) })
		if err != nil {
			return err
		}
		for {
			c.mu.Lock()
			changed, behind := c.changed, false
			ends.Each(func(end kadm.ListedOffset) { behind = behind || c.read[topic][end.Partition] < end.Offset })
			c.mu.Unlock()
			if !behind {
				break
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return fmt.Errorf("reading %s: %w", topic, ctx.Err())
			}
		}
	}
	return nil
}
