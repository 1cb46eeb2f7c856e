package consumer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

const (
	enterpriseID = "1234567"
	clickID      = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	// long is more than anything here takes on a machine that is not stuck.
	long = 2 * time.Minute
)

// bundle is a shop: its topics, its CJ, and a configuration for consumers of its orders.
type bundle struct {
	*kafkatest.Cluster
	cj     *cj
	table  *sessions.Table
	clicks string
	// clickDelay is how long the table takes to read one click.
	clickDelay time.Duration
	config     Config
	// registry stands for the one that orders are decoded with: its error is the decoder's.
	registry *registry
	log      *buffer
	later    []*kgo.Record
	// made counts what another made.
	made int
}

// registry is a schema registry that can be away.
type registry struct {
	mu    sync.Mutex
	err   error
	asked int
}

func (r *registry) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *registry) ask() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return r.err
}

func (r *registry) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func setup(t testing.TB, kafka *kafkatest.Cluster, partitions int32) *bundle {
	t.Helper()
	decodeJSON, err := schema.NewOrderDecoder(schema.FormatJSON, nil, schema.MaxBytes(8<<20))
	require.NoError(t, err)
	builder, err := postback.NewBuilder(postback.Advertiser{EnterpriseID: enterpriseID, Actions: map[string]string{"sale": "398210"}, DefaultAction: "sale"})
	require.NoError(t, err)
	b := &bundle{Cluster: kafka, cj: newCJ(), registry: &registry{}, log: &buffer{}}
	log := b.logger()
	b.clicks = kafka.Topic(t, "cjevent", 1, map[string]string{"cleanup.policy": "compact"})
	bareClick, err := schema.NewClickDecoder(schema.FormatString, nil)
	require.NoError(t, err)
	decodeClick := func(ctx context.Context, value []byte, at time.Time) (schema.Click, error) {
		time.Sleep(b.clickDelay)
		return bareClick(ctx, value, at)
	}
	b.table, err = sessions.Open(sessions.Config{Topic: b.clicks, Window: 395 * 24 * time.Hour, Decode: decodeClick, Client: kafka.Options(), Log: log}, sessions.NewMemory())
	require.NoError(t, err)
	b.config = Config{
		Topic:           kafka.Topic(t, "orders", partitions, map[string]string{"max.message.bytes": "10485760"}),
		DeadLetterTopic: kafka.Topic(t, "dlq", 1, map[string]string{"max.message.bytes": "10551296"}),
		OutcomesTopic:   kafka.Topic(t, "outcomes", 1, nil),
		Group:           kafkatest.Name("group"),
		Start:           Earliest(), EnterpriseID: enterpriseID, Version: "v0.0.0-test",
		Decode: func(ctx context.Context, value []byte) (*schema.Order, error) {
			if err := b.registry.ask(); err != nil {
				return nil, err
			}
			return decodeJSON(ctx, value)
		},
		Clicks: b.table, Builder: builder, Sender: b.cj, Breaker: breaker.New(breaker.Config{Concurrency: 8, Open: 50 * time.Millisecond}),
		BackoffInitial: time.Millisecond, BackoffMax: 20 * time.Millisecond, CommitInterval: 10 * time.Millisecond,
		MassSamples: 20, MassWait: 20 * time.Millisecond, Duplicates: 1000,
		Drain: 5 * time.Second, FutureTolerance: 15 * time.Minute, Concurrency: 8,
		MaxPending: 1000, MaxPendingBytes: 64 << 20, MaxPendingPerPartition: 500, RetryAfterCap: time.Minute,
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 30 * time.Second,
		Client: append(kafka.Options(), kgo.HeartbeatInterval(100*time.Millisecond), kgo.MetadataMinAge(10*time.Millisecond),
			kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond })),
		Log: log,
	}
	return b
}

func (b *bundle) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// running is a consumer that runs.
type running struct {
	*Consumer
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

// readClicks runs the click table until the test ends.
func (b *bundle) readClicks(t testing.TB) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.table.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-ended)
		b.table.Close()
	})
}

// start runs a consumer until the test ends or halts it.
func (b *bundle) start(t testing.TB) *running {
	t.Helper()
	return run(t, b.config, b.log)
}

// startWith does the same to a consumer that is changed first.
func (b *bundle) startWith(t testing.TB, change func(*Consumer)) *running {
	t.Helper()
	return run(t, b.config, b.log, change)
}

func run(t testing.TB, config Config, log *buffer, changes ...func(*Consumer)) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Consumer: New(config), cancel: cancel, done: make(chan struct{})}
	for _, change := range changes {
		change(r.Consumer)
	}
	go func() {
		r.err = r.Run(ctx)
		close(r.done)
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
		if t.Failed() {
			t.Logf("log of the consumer:\n%s", log.String())
		}
	})
	return r
}

// halt stops the consumer gracefully.
func (r *running) halt(t testing.TB) {
	t.Helper()
	r.cancel()
	<-r.done
	require.NoError(t, r.err)
}

// order is a small valid order that carries its own click.
func order(id string) string {
	return fmt.Sprintf(`{"order_id":%q,"confirmed_at":"2026-03-27T11:02:07Z","currency":"USD","amount":"22.99","cjevent":%q}`, id, clickID)
}

func ids(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("ORD-%d", i)
	}
	return all
}

func orders(ids ...string) []string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = order(id)
	}
	return all
}

// confirm produces orders into a partition.
func (b *bundle) confirm(t testing.TB, partition int32, values ...string) {
	t.Helper()
	records := make([]*kgo.Record, len(values))
	for i, value := range values {
		records[i] = &kgo.Record{Topic: b.config.Topic, Partition: partition, Value: []byte(value)}
	}
	b.Produce(t, records...)
}

// committed is the group's offset of a partition, -1 when it has none.
func (b *bundle) committed(t testing.TB, partition int32) int64 {
	t.Helper()
	offsets, err := b.Admin.FetchOffsetsForTopics(t.Context(), b.config.Group, b.config.Topic)
	// A new cluster makes its coordinator when it is first asked for one.
	if errors.Is(err, kerr.GroupIDNotFound) || errors.Is(err, kerr.CoordinatorNotAvailable) {
		return -1
	}
	require.NoError(t, err)
	offset, known := offsets.Lookup(b.config.Topic, partition)
	if !known {
		return -1
	}
	return offset.At
}

func (b *bundle) requireCommitted(t testing.TB, partition int32, offset int64) {
	t.Helper()
	eventually(t, func() bool { return b.committed(t, partition) == offset }, "partition %d is never committed up to %d: %d", partition, offset, b.committed(t, partition))
}

// outcomes are all that were written, by order id, or by place where the order was unreadable.
func (b *bundle) outcomes(t testing.TB) map[string]schema.OutcomeRecord {
	t.Helper()
	found := map[string]schema.OutcomeRecord{}
	for _, r := range b.Read(t, b.config.OutcomesTopic) {
		outcome, err := schema.DecodeOutcome(r.Value)
		require.NoError(t, err)
		require.Equal(t, outcome.Key(), string(r.Key))
		key := outcome.OrderID
		if key == "" {
			key = fmt.Sprintf("%d@%d", outcome.Partition, outcome.Offset)
		}
		found[key] = outcome
	}
	return found
}

// eventually waits for something that Kafka or another goroutine does.
func eventually(t testing.TB, ok func() bool, message string, args ...any) {
	t.Helper()
	deadline := time.Now().Add(long)
	for wait := time.Millisecond; !ok(); wait = min(2*wait, 100*time.Millisecond) {
		if time.Now().After(deadline) {
			require.Fail(t, "it never happens", append([]any{message}, args...)...)
		}
		time.Sleep(wait)
	}
}

// pausedFor are the reasons for which fetching pauses now.
func (c *Consumer) pausedFor() map[PauseReason]bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pauses == nil {
		return nil
	}
	return c.pauses.now()
}

// check is what Ready says of one condition.
func (c *Consumer) check(t testing.TB, name string) error {
	t.Helper()
	for _, check := range c.Ready() {
		if check.Name == name {
			return check.Err
		}
	}
	require.Fail(t, "no such check", name)
	return nil
}

// buffer is a log that is written and read at once.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func (b *buffer) count(text string) int { return strings.Count(b.String(), text) }

// confirmLater and confirmAll produce orders in one go.
func (b *bundle) confirmLater(partition int32, value string) {
	b.later = append(b.later, &kgo.Record{Topic: b.config.Topic, Partition: partition, Value: []byte(value)})
}

func (b *bundle) confirmAll(t testing.TB) {
	t.Helper()
	b.Produce(t, b.later...)
	b.later = nil
}

// setupVirtual is for a test in a synctest bubble. Its clock starts in 2000, when no order can have been
// confirmed before: two days pass first.
func setupVirtual(t *testing.T, partitions int32, options ...kfake.Opt) *bundle {
	t.Helper()
	time.Sleep(48 * time.Hour)
	b := setup(t, kafkatest.StartVirtual(t, options...), partitions)
	// What tests hurry elsewhere would only be work here.
	b.config.CommitInterval, b.config.Client = time.Second, b.Options()
	b.readClicks(t)
	return b
}

// past is a time that an order in a bubble may have been confirmed at.
func past() time.Time { return time.Now().Add(-time.Hour) }

func (b *bundle) pastOrders(n int) []string {
	all := ids(n)
	for i, id := range all {
		all[i] = orderAt(id, past())
	}
	return all
}

// another is an order that no other call makes.
func (b *bundle) another() string {
	b.made++
	return orderAt(fmt.Sprint("ANOTHER-", b.made), past())
}

func (b *bundle) awaitState(t testing.TB, state breaker.State) {
	t.Helper()
	eventually(t, func() bool { return b.config.Breaker.State() == state }, "the breaker never gets %s", state)
}
