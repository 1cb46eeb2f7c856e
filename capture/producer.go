package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

const (
	// slowKafka is how long Kafka may take for a batch before that counts as trouble. The client goes on trying by
	// itself, without an error, while brokers are away or full.
	slowKafka = 10 * time.Second
	// againAtMost bounds the wait before what Kafka refused is tried again.
	againAtMost = 15 * time.Second
	// oldEnough is from when on a record's time that Kafka refuses is not a matter of clocks that differ a little.
	oldEnough = time.Minute
)

// clientOptions are those of the client that produces. ProduceSync ends the linger when it has all its records: without
// one, the first of them would leave in a request of its own.
func clientOptions(config Config) []kgo.Opt {
	return append(append([]kgo.Opt{kgo.ProducerLinger(pace)}, config.Client...),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(kgo.PartitionerHasher(config.Partitioner))))
}

// producer carries records from the spool to Kafka, a batch at a time: the next is begun when Kafka has the one before,
// and the pace is kept. Where some of a batch were refused, all from the first of them on are produced again, so that the
// last record of a session is the last one in Kafka, too. The same click twice changes nothing there.
type producer struct {
	options  []kgo.Opt
	spool    *spool
	topic    string
	encode   Encoder
	metrics  *metrics
	troubles *troubles
	log      *slog.Logger

	// mu guards what close may meet. The goroutine that produces is the only one that replaces the client.
	mu     sync.Mutex
	client *kgo.Client
	closed bool
}

func newProducer(spool *spool, config Config, metrics *metrics, troubles *troubles) (*producer, error) {
	options := clientOptions(config)
	client, err := kgo.NewClient(options...)
	return &producer{
		options: options, client: client, spool: spool, topic: config.Topic, encode: config.Encode, metrics: metrics, troubles: troubles, log: config.Log,
	}, err
}

// close gives up what is under way. It may be called more than once, and while the producer runs.
func (p *producer) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.client.Close()
}

// renew replaces a client whose topic was deleted and made anew: it knows the topic by its id, and never asks for the
// new one's. Nothing is under way then.
func (p *producer) renew() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	client, err := kgo.NewClient(p.options...)
	if err != nil {
		p.troubles.note(troubleKafka, err)
		return
	}
	p.client.Close()
	p.client = client
}

// run goes on until ctx ends or the spool is finished and empty.
func (p *producer) run(ctx context.Context) {
	for {
		batch, ok := p.spool.read(ctx)
		began := time.Now()
		if !ok || !p.deliver(ctx, batch.records) {
			return
		}
		if err := p.spool.acknowledge(batch); err != nil {
			p.troubles.note(troubleSpool, err)
		}
		time.Sleep(pace - time.Since(began))
	}
}

// deliver returns true when each record is in Kafka, or was set aside because it never can be; false when ctx ended.
func (p *producer) deliver(ctx context.Context, records []record) bool {
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = againAtMost
	together := len(records)
	for len(records) > 0 {
		done, err := p.produce(ctx, records[:min(together, len(records))])
		records = records[done:]
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			p.troubles.over(troubleKafka)
			p.troubles.over(troubleRegistry)
			waits.Reset()
			continue
		case errors.Is(err, kerr.UnknownTopicID):
			p.renew()
		case !isRefusal(err):
		case together > 1:
			// One of them is to blame for all: alone it shows.
			together = 1
			continue
		default:
			if settled := p.settle(ctx, records[0], err); settled {
				records = records[1:]
				continue
			}
		}
		select {
		case <-time.After(waits.NextBackOff()):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// isRefusal tells whether an error is about a record and would be the same for ever. All others are about Kafka, its
// rules for us or its topic, and pass, if only when somebody mends something.
func isRefusal(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) || errors.Is(err, kerr.InvalidTimestamp) ||
		errors.Is(err, kerr.InvalidRecord)
}

// produce writes records and waits until Kafka has answered for all. done is how many it has for certain, from the first
// on; the error is that of the next one.
func (p *producer) produce(ctx context.Context, records []record) (done int, err error) {
	messages := make([]*kgo.Record, len(records))
	for i, r := range records {
		if messages[i], err = p.message(ctx, r, r.at); err != nil {
			p.troubles.note(troubleRegistry, err)
			return 0, err
		}
	}
	slow := time.AfterFunc(slowKafka, func() {
		p.troubles.suspect(troubleKafka, fmt.Errorf("writing to topic %s: not done after %s", p.topic, slowKafka))
	})
	defer slow.Stop()
	results := p.client.ProduceSync(ctx, messages...)
	// They come in the order in which Kafka answered.
	failed := make(map[*kgo.Record]error, len(results))
	for _, result := range results {
		failed[result.Record] = result.Err
	}
	for _, message := range messages {
		if err := failed[message]; err != nil {
			if ctx.Err() == nil && !isRefusal(err) {
				p.troubles.note(troubleKafka, fmt.Errorf("writing to topic %s: %w", p.topic, err))
			}
			return done, err
		}
		done++
		p.metrics.produced.Inc()
	}
	return done, nil
}

// message is a record as Kafka gets it, with a time that is usually the record's own.
func (p *producer) message(ctx context.Context, r record, at time.Time) (*kgo.Record, error) {
	message := &kgo.Record{Topic: p.topic, Key: []byte(r.session), Timestamp: at}
	if r.kind == erasure {
		return message, nil
	}
	var err error
	message.Value, err = p.encode(ctx, schema.Click{ID: r.click, CapturedAt: r.at})
	return message, err
}

// settle ends a record that Kafka refuses: with another time where that is what is refused, or else aside. It is false
// when the record is to be tried again.
func (p *producer) settle(ctx context.Context, r record, refused error) bool {
	if errors.Is(refused, kerr.InvalidTimestamp) {
		if time.Since(r.at) < oldEnough {
			// Kafka refuses times that are an hour ahead of its own (message.timestamp.after.max.ms). It catches up.
			p.troubles.note(troubleKafka, fmt.Errorf("this machine's clock is ahead of the brokers': %w", refused))
			return false
		}
		// It may refuse old ones, too (message.timestamp.before.max.ms), and clicks are written again for 13 months.
		if p.carriesTime(ctx, r) {
			return p.produceAsNew(ctx, r)
		}
	}
	p.metrics.lost[lostKafka].Inc()
	p.log.Error("kafka refuses a click for good; it is set aside", "topic", p.topic, "error", refused, "file", asideFile)
	if err := setAside(p.spool.files, r); err != nil {
		p.log.Error("it cannot be set aside and is lost", "error", err)
	}
	return true
}

// carriesTime tells whether the time of the record in Kafka means nothing, because its value has its own.
func (p *producer) carriesTime(ctx context.Context, r record) bool {
	if r.kind == erasure {
		return true
	}
	one, err := p.encode(ctx, schema.Click{ID: r.click, CapturedAt: r.at})
	other, otherErr := p.encode(ctx, schema.Click{ID: r.click, CapturedAt: r.at.Add(time.Second)})
	return err == nil && otherErr == nil && !bytes.Equal(one, other)
}

// produceAsNew writes a record with the present as its time in Kafka.
func (p *producer) produceAsNew(ctx context.Context, r record) bool {
	message, err := p.message(ctx, r, now())
	if err == nil {
		err = p.client.ProduceSync(ctx, message).FirstErr()
	}
	if err != nil {
		p.troubles.note(troubleKafka, fmt.Errorf("writing to topic %s: %w", p.topic, err))
		return false
	}
	p.metrics.produced.Inc()
	return true
}

// asideFile holds what Kafka refused, in the form of a segment: given the next free number as its name, while no process
// runs, it is tried again.
const asideFile = "refused"

// setAside keeps a record there, up to the size of one segment.
func setAside(files files, r record) error {
	content, err := files.read(asideFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(content) == 0 {
		content = []byte(segmentMagic)
	}
	frame := r.frame()
	if len(content)+len(frame) > segmentBytes {
		return fmt.Errorf("the file %s is full", asideFile)
	}
	return replaceFile(files, asideFile, append(content, frame...))
}
