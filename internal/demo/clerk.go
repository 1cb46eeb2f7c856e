package demo

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// clerk reads the outcomes and the dead letters as they come.
type clerk struct {
	config config.Config
	client *kgo.Client

	mu      sync.Mutex
	endings map[place][]ending
	letters map[place][]deadLetter
	kinds   map[schema.Kind]int
	// strange describes records that should not be in these topics.
	strange []string
	// read is how far each partition was read.
	read map[string]map[int32]int64
	// changed is closed and replaced when something was read.
	changed chan struct{}
}

func newClerk(cfg config.Config) (*clerk, error) {
	client, err := kgo.NewClient(append(relay.Kafka(cfg.Kafka), kgo.ConsumeTopics(cfg.Outcomes.Topic, cfg.DeadLetter.Topic),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	return &clerk{
		config: cfg, client: client, endings: map[place][]ending{}, letters: map[place][]deadLetter{}, kinds: map[schema.Kind]int{},
		read: map[string]map[int32]int64{cfg.Outcomes.Topic: {}, cfg.DeadLetter.Topic: {}}, changed: make(chan struct{}),
	}, nil
}

func (c *clerk) close() { c.client.Close() }

// work reads until ctx ends.
func (c *clerk) work(ctx context.Context) error {
	for {
		fetches := c.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for _, failed := range fetches.Errors() {
			return fmt.Errorf("reading %s: %w", failed.Topic, failed.Err)
		}
		c.take(fetches.Records())
	}
}

func (c *clerk) take(records []*kgo.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, record := range records {
		take := c.takeLetter
		if record.Topic == c.config.Outcomes.Topic {
			take = c.takeOutcome
		}
		if err := take(record); err != nil {
			c.strange = append(c.strange, fmt.Sprintf("%s[%d]@%d: %v", record.Topic, record.Partition, record.Offset, err))
		}
		c.read[record.Topic][record.Partition] = record.Offset + 1
	}
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *clerk) takeOutcome(record *kgo.Record) error {
	outcome, err := schema.DecodeOutcome(record.Value)
	if err != nil {
		return err
	}
	at := place{outcome.Partition, outcome.Offset}
	if len(c.endings[at]) == 0 {
		c.kinds[outcome.Outcome]++
	}
	c.endings[at] = append(c.endings[at], ending{outcome.Outcome, outcome.Reason, outcome.CJEvent})
	return nil
}

func (c *clerk) takeLetter(record *kgo.Record) error {
	headers := map[string]string{}
	for _, header := range record.Headers {
		headers[header.Key] = string(header.Value)
	}
	partition, err := strconv.ParseInt(headers["cjrelay-partition"], 10, 32)
	if err != nil {
		return fmt.Errorf("header cjrelay-partition: %w", err)
	}
	offset, err := strconv.ParseInt(headers["cjrelay-offset"], 10, 64)
	if err != nil {
		return fmt.Errorf("header cjrelay-offset: %w", err)
	}
	at := place{int32(partition), offset}
	c.letters[at] = append(c.letters[at], deadLetter{headers["cjrelay-reason"], record.Key, record.Value})
	return nil
}

// concluded is how many orders have an outcome, by kind and together.
func (c *clerk) concluded() (unattributed, deadLetters, all int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.kinds[schema.Unattributed], c.kinds[schema.DeadLetter], len(c.endings)
}

// await waits until enough is true, asking whenever something was read, and gives up when nothing was read
// for as long as patience or when ctx ends. It reports whether enough was true.
func (c *clerk) await(ctx context.Context, patience time.Duration, enough func() bool) bool {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if enough() {
			return true
		}
		select {
		case <-changed:
		case <-time.After(patience):
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// hasRead tells whether everything up to these ends of a topic was read.
func (c *clerk) hasRead(topic string, ends map[int32]int64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for partition, end := range ends {
		if c.read[topic][partition] < end {
			return false
		}
	}
	return true
}

// file puts what was read into the books. Nothing may be read meanwhile or later.
func (c *clerk) file(b *books) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b.endings, b.letters, b.strange = c.endings, c.letters, c.strange
}
