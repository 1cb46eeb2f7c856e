package sessions

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/schema"
)

// Config sets a Table. Every field is needed unless it says otherwise.
type Config struct {
	// Topic is the compacted topic of clicks, keyed by session.
	Topic string
	// Layout is which of its partitions are read: Global (also when empty), all of them; Copartitioned, those that
	// are followed.
	Layout Layout
	// Orders is the topic whose partitions the clicks' must match, and Partitioner how both are spread over them.
	// Only a Copartitioned table needs them.
	Orders      string
	Partitioner schema.Partitioner
	// Window is how long before an order a click may lie and still count for it.
	Window time.Duration
	// Only is the one session to read; empty for all.
	Only string
	// BatchMemory is how many bytes of memory the batches of all readers may take. More makes a restore faster.
	BatchMemory int64
	// Decode reads a click record's value.
	Decode schema.ClickDecoder
	// Client says how to reach Kafka: brokers, client id, security.
	Client []kgo.Opt
	Log    *slog.Logger
}

// Table reads the click topic and answers lookups. It is safe for concurrent use.
type Table struct {
	config Config
	client *kgo.Client
	// abort ends whatever the client waits for.
	abort    context.CancelFunc
	store    Store
	readers  []*reader
	progress *progress
	lister   *lister
	intents  intents
	// ours are the partitions that are followed. assigning is held while some come or go, so that the readings and
	// the intents for them stay in one order.
	ours      *set
	assigning sync.Mutex
	metrics   metrics
	// topicID is the topic that the table is filled from, nil until it was listed once; tombstones is how long
	// the topic keeps them, and belongs to the listing goroutine.
	topicID    atomic.Pointer[[16]byte]
	tombstones time.Duration
	// partitions is how many the topic has, once known. Only a Copartitioned table keeps it.
	partitions atomic.Int32
	// damaged gets the error of a lookup that found the store damaged.
	damaged chan error

	malformedLogged, misplacedLogged atomic.Bool
	restored                         atomic.Bool
	troubles                         troubles
}

// Open makes a table that reads the topic into store. Nothing is read before Run.
func Open(config Config, store Store) (*Table, error) {
	lives, abort := context.WithCancel(context.Background())
	client, err := kgo.NewClient(append(append(FetchOptions(), config.Client...), kgo.WithContext(lives))...)
	if err != nil {
		abort()
		return nil, fmt.Errorf("click table: %w", err)
	}
	if config.Layout == "" {
		config.Layout = Global
	}
	t := &Table{
		config:   config,
		client:   client,
		abort:    abort,
		store:    store,
		progress: newProgress(),
		lister:   newLister(),
		ours:     newSet(),
		metrics:  newMetrics(),
		damaged:  make(chan error, 1),
	}
	for range min(runtime.GOMAXPROCS(0), maxReaders) {
		t.readers = append(t.readers, newReader(t))
	}
	return t, nil
}

// maxReaders bounds the goroutines that decode: beyond this Kafka and the disk are the limit.
const maxReaders = 8

// closeGrace is how long the brokers may take to say goodbye.
const closeGrace = time.Second

// Close ends the table's connections. Call it after Run has returned. The store is its owner's to close. The client
// takes its leave of brokers, and on a connection that is being opened it does not heed its own limit for that: one
// that is frozen would hold up the stop for as long as a request may take.
func (t *Table) Close() {
	grace := time.AfterFunc(closeGrace, t.abort)
	t.client.Close()
	grace.Stop()
	t.abort()
}

// Run reads the topic until ctx ends, and returns nil then. An error means that the table must be made anew: a
// restart does that.
func (t *Table) Run(ctx context.Context) error {
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return t.fetch(running) })
	for _, r := range t.readers {
		group.Go(func() error { return r.run(running) })
	}
	group.Go(func() error { return t.list(running) })
	group.Go(func() error { return t.probe(running) })
	group.Go(func() error {
		select {
		case err := <-t.damaged:
			return err
		case <-running.Done():
			return running.Err()
		}
	})
	group.Go(func() error {
		select {
		case <-t.lister.request().fresh:
			t.restored.Store(true)
			t.config.Log.Info("click table restored", "topic", t.config.Topic, "sessions", t.store.Sessions())
		case <-running.Done():
		}
		return nil
	})
	if err := group.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// Lookup finds the click that counts for an order of the session confirmed at that time, or the reason why
// there is none. The verdict is only right after Wait of a Gate that was taken after the order was read. The
// partition is the order's own; only a Copartitioned table looks at it, and gives ReasonWrongPartition where the
// session's clicks are in another. An error means that there is no verdict now: the lookup must be made again.
func (t *Table) Lookup(partition int32, session string, at time.Time) (schema.Click, schema.Reason, error) {
	if session == "" {
		return schema.Click{}, schema.ReasonNoSession, nil
	}
	if t.stray(partition, session) {
		return schema.Click{}, schema.ReasonWrongPartition, nil
	}
	history, err := t.history(partition, session)
	if err != nil {
		return schema.Click{}, "", err
	}
	click, reason := judge(history, at, t.config.Window)
	return click, reason, nil
}

// Ready is nil when the table has caught up once, reads without trouble and keeps up; otherwise it says what
// is wrong.
func (t *Table) Ready() error {
	if err := t.troubles.first(); err != nil {
		return err
	}
	if err := t.store.Healthy(); err != nil {
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

// newWaits gives the waits between tries of something that only others can heal. They stay short, so that
// orders do not wait long after it has.
func newWaits() *backoff.ExponentialBackOff {
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = 5 * time.Second
	return waits
}

// Describe and Collect make the table a prometheus.Collector.
func (t *Table) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(t, descriptions)
}

// Collect implements prometheus.Collector.
func (t *Table) Collect(collected chan<- prometheus.Metric) {
	t.metrics.collect(collected)
	collected <- prometheus.MustNewConstMetric(sessionsDesc, prometheus.GaugeValue, float64(t.store.Sessions()))
	collected <- prometheus.MustNewConstMetric(bytesDesc, prometheus.GaugeValue, float64(t.store.Size()))
	collected <- prometheus.MustNewConstMetric(behindDesc, prometheus.GaugeValue, float64(t.progress.behind()))
}
