package sessions

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/schema"
)

// Config sets a Table. Every field is needed.
type Config struct {
	// Topic is the compacted topic of clicks, keyed by session.
	Topic string
	// Window is how long before an order a click may lie and still count for it.
	Window time.Duration
	// Decode reads a click record's value.
	Decode schema.ClickDecoder
	// Client says how to reach Kafka: brokers, client id, security.
	Client []kgo.Opt
	Log    *slog.Logger
}

// Table reads the click topic and answers lookups. It is safe for concurrent use.
type Table struct {
	config   Config
	client   *kgo.Client
	store    Store
	progress *progress
	lister   *lister
	metrics  metrics
	// topicID is the topic that the table is filled from, nil until it was listed once.
	topicID atomic.Pointer[[16]byte]

	// applying is set while the reader has records in hand.
	applying        atomic.Bool
	malformedLogged atomic.Bool
	restored        atomic.Bool
	troubles        troubles
}

// Open makes a table that reads every partition of the topic into store. Nothing is read before Run.
func Open(config Config, store Store) (*Table, error) {
	options := append([]kgo.Opt{
		// Committed clicks only, and the transaction markers too: an end of the topic that is a marker
		// would otherwise never be reached, and the gate would stay shut for ever.
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		// The default of 5 s is how long a newly added partition waits behind a long poll.
		kgo.FetchMaxWait(250 * time.Millisecond),
		// What retention removed is gone for every reader: going on at the log start loses nothing more.
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
	}, config.Client...)
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("click table: %w", err)
	}
	return &Table{
		config:   config,
		client:   client,
		store:    store,
		progress: newProgress(),
		lister:   newLister(),
		metrics:  newMetrics(),
	}, nil
}

// Close ends the table's connections. Call it after Run has returned.
func (t *Table) Close() { t.client.Close() }

// Run reads the topic until ctx ends, and returns nil then.
func (t *Table) Run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return t.read(running) })
	group.Go(func() error { return t.list(running) })
	group.Go(func() error { return t.probe(running) })
	group.Go(func() error {
		if t.Gate().Wait(running) == nil {
			t.restored.Store(true)
			t.config.Log.Info("click table restored", "topic", t.config.Topic, "sessions", t.store.Sessions())
		}
		return nil
	})
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// Lookup finds the click that counts for an order of the session confirmed at that time, or the reason why
// there is none. The verdict is only right after Wait of a Gate that was taken after the order was read.
func (t *Table) Lookup(session string, at time.Time) (schema.Click, schema.Reason) {
	if session == "" {
		return schema.Click{}, schema.ReasonNoSession
	}
	return judge(t.store.History(session), at, t.config.Window)
}

// Ready is nil when the table has caught up once, reads without trouble and keeps up; otherwise it says what
// is wrong.
func (t *Table) Ready() error {
	if err := t.troubles.first(); err != nil {
		return err
	}
	if !t.restored.Load() {
		return fmt.Errorf("restoring clicks from topic %s: %d records to go", t.config.Topic, t.progress.behind())
	}
	if since, waiting := t.waitingSince(); waiting && time.Since(since) >= lasting {
		return fmt.Errorf("orders wait for clicks: topic %s could not be read up to its end for %s", t.config.Topic,
			time.Since(since).Round(time.Second))
	}
	return nil
}

// lasting is how long the table may be behind before Ready says so, whatever the cause. A partition that
// cannot be read gives no error where the client goes on trying, and another one's records hide it.
const lasting = 30 * time.Second

// waitingSince is when the oldest request began that the table has not caught up with.
func (t *Table) waitingSince() (since time.Time, waiting bool) {
	if since, waiting := t.progress.waitingSince(); waiting {
		return since, true
	}
	return t.lister.waitingSince()
}

// read applies the topic's records to the store, in offset order within each partition.
func (t *Table) read(ctx context.Context) error {
	for {
		fetches := t.client.PollFetches(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		t.applying.Store(true)
		t.note(fetches)
		var err error
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			for _, record := range p.Records {
				if err = t.apply(ctx, record); err != nil {
					return
				}
			}
			if n := len(p.Records); n > 0 {
				t.progress.advance(p.Partition, p.Records[n-1].Offset+1)
			}
			t.progress.advance(p.Partition, p.LogStartOffset)
		})
		if err != nil {
			return err
		}
		t.applying.Store(false)
	}
}

// note keeps the reader's trouble for Ready: a table that cannot read looks like one with no new clicks.
func (t *Table) note(fetches kgo.Fetches) {
	var trouble error
	fetches.EachError(func(topic string, partition int32, err error) {
		trouble = fmt.Errorf("reading clicks from %s[%d]: %w", topic, partition, err)
	})
	if t.troubles.set(reading, trouble) && trouble != nil {
		t.config.Log.Warn("click table cannot read; orders wait for it", "error", trouble)
	}
}

// apply puts one record into the store. It waits out a registry that cannot be asked: skipping the click
// would lose its publisher, and going on without it would give wrong verdicts.
func (t *Table) apply(ctx context.Context, record *kgo.Record) error {
	if record.Attrs.IsControl() {
		return nil
	}
	session := string(record.Key)
	if session == "" {
		t.reject(record, errors.New("the record has no key: the key must be the session id"))
		return nil
	}
	if record.Value == nil {
		t.metrics.erased.Inc()
		t.store.Erase(session)
		return nil
	}
	waits := newWaits()
	for {
		click, err := t.config.Decode(ctx, record.Value, record.Timestamp)
		if !errors.Is(err, schema.ErrUnavailable) {
			t.troubles.set(decoding, nil)
		}
		switch {
		case err == nil:
			t.metrics.applied.Inc()
			t.store.Put(session, click)
			return nil
		case errors.Is(err, schema.ErrUnavailable):
			t.troubles.set(decoding, err)
			select {
			case <-time.After(waits.NextBackOff()):
			case <-ctx.Done():
				return ctx.Err()
			}
		case ctx.Err() != nil:
			return ctx.Err()
		default:
			t.store.Spoil(session)
			t.reject(record, err)
			return nil
		}
	}
}

// newWaits gives the waits between tries of something that only others can heal. They stay short, so that
// orders do not wait long after it has.
func newWaits() *backoff.ExponentialBackOff {
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = 5 * time.Second
	return waits
}

// reject counts a malformed click. The session keeps its last good one.
func (t *Table) reject(record *kgo.Record, err error) {
	t.metrics.malformed.Inc()
	if !t.malformedLogged.Swap(true) {
		t.config.Log.Warn("malformed click skipped; later ones are only counted in cjrelay_clicks_total",
			"topic", record.Topic, "partition", record.Partition, "offset", record.Offset, "error", err)
	}
}

// Describe and Collect make the table a prometheus.Collector.
func (t *Table) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(t, descriptions)
}

// Collect implements prometheus.Collector.
func (t *Table) Collect(collected chan<- prometheus.Metric) {
	t.metrics.collect(collected)
	collected <- prometheus.MustNewConstMetric(sessionsDesc, prometheus.GaugeValue, float64(t.store.Sessions()))
	collected <- prometheus.MustNewConstMetric(behindDesc, prometheus.GaugeValue, float64(t.progress.behind()))
}
