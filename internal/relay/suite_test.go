package relay_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// The accounts of the tests.
const (
	enterpriseID = "1234567"
	saleTracker  = "398210"
	clickID      = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
)

// bundle is a shop with its Kafka, its CJ and a configuration for a relay between them.
type bundle struct {
	kafka  *kafkatest.Cluster
	cj     *cjtest.Server
	config config.Config
}

// setup makes the topics and a fake CJ. Orders and clicks are JSON unless the test says otherwise.
func setup(t *testing.T, partitions int32, cjOptions ...cjtest.Option) *bundle {
	t.Helper()
	kafka := kafkatest.Start(t)
	cj, err := cjtest.Start(cjOptions...)
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	cfg := config.Default()
	cfg.Kafka.Brokers = kafka.Brokers
	cfg.Kafka.SessionTimeout = 10 * time.Second
	cfg.Orders.Topic = kafka.Topic(t, "order.confirmed", partitions, map[string]string{"max.message.bytes": "10485760"})
	cfg.Clicks.Topic = kafka.Topic(t, "cjevent", partitions, map[string]string{"cleanup.policy": "compact,delete"})
	cfg.DeadLetter.Topic = kafka.Topic(t, "dlq", 1, map[string]string{"max.message.bytes": "10551296"})
	cfg.Outcomes.Topic = kafka.Topic(t, "outcomes", 1, nil)
	cfg.Orders.Group = kafkatest.Name("group")
	cfg.Orders.Format, cfg.Clicks.Format = config.JSON, config.JSON
	cfg.Orders.Start = config.StartEarliest
	cfg.CJ.Endpoint = cj.Endpoint()
	cfg.CJ.EnterpriseID = enterpriseID
	cfg.CJ.Actions = map[string]string{"sale": saleTracker}
	cfg.CJ.Timeout = time.Second
	cfg.Delivery.BackoffInitial, cfg.Delivery.BackoffMax = 10*time.Millisecond, 100*time.Millisecond
	cfg.Delivery.CommitInterval = 50 * time.Millisecond
	cfg.Delivery.Drain = 5 * time.Second
	cfg.Breaker.Open = 100 * time.Millisecond
	return &bundle{kafka: kafka, cj: cj, config: cfg}
}

// running is a relay that runs.
type running struct {
	*relay.Relay
	stop context.CancelFunc
	done chan error
	log  *buffer
}

// start runs a relay until the test ends or stops it.
func (b *bundle) start(t *testing.T) *running {
	t.Helper()
	log := &buffer{}
	r, err := relay.New(b.config, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	run := &running{Relay: r, stop: stop, done: make(chan error, 1), log: log}
	go func() { run.done <- r.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("log of the relay:\n%s", log.String())
		}
	})
	return run
}

// halt stops the relay gracefully and waits for it.
func (r *running) halt(t *testing.T) {
	t.Helper()
	r.stop()
	require.NoError(t, <-r.done)
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

// click is a click of a session at a time, ready to be produced.
func (b *bundle) click(session, id string, at time.Time) *kgo.Record {
	return &kgo.Record{Topic: b.config.Clicks.Topic, Key: []byte(session), Timestamp: at,
		Value: fmt.Appendf(nil, `{"cjevent":%q,"captured_at":%q}`, id, at.UTC().Format(time.RFC3339Nano))}
}

// order is canonical JSON of a small valid order.
func order(id, session string, at time.Time) string {
	return fmt.Sprintf(`{"order_id":%q,"session_id":%q,"confirmed_at":%q,"currency":"USD","items":[{"sku":"SKU-1","unit_price":"22.99","quantity":2,"discount":"5.00"}]}`,
		id, session, at.UTC().Format(time.RFC3339Nano))
}

// confirm produces orders.
func (b *bundle) confirm(t *testing.T, orders ...string) {
	t.Helper()
	records := make([]*kgo.Record, len(orders))
	for i, text := range orders {
		records[i] = &kgo.Record{Topic: b.config.Orders.Topic, Key: fmt.Appendf(nil, "key-%d", i), Value: []byte(text)}
	}
	b.kafka.Produce(t, records...)
}

// outcomes reads the outcomes topic until it has n records, and returns them by order id, or by
// "topic|partition|offset" when the order was unreadable.
func (b *bundle) outcomes(t *testing.T, n int) map[string]schema.OutcomeRecord {
	t.Helper()
	client := b.kafka.Client(t, kgo.ConsumeTopics(b.config.Outcomes.Topic), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	found := map[string]schema.OutcomeRecord{}
	for count := 0; count < n; {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "only %d of %d outcomes: %v", count, n, found)
		fetches.EachRecord(func(r *kgo.Record) {
			outcome, err := schema.DecodeOutcome(r.Value)
			require.NoError(t, err)
			require.Equal(t, outcome.Key(), string(r.Key))
			count++
			key := outcome.OrderID
			if key == "" {
				key = outcome.Key()
			}
			found[key] = outcome
		})
	}
	return found
}

// committed is the sum of the group's committed offsets.
func (b *bundle) committed(t *testing.T) int64 {
	t.Helper()
	offsets, err := b.kafka.Admin.FetchOffsetsForTopics(t.Context(), b.config.Orders.Group, b.config.Orders.Topic)
	require.NoError(t, err)
	var sum int64
	for _, offset := range offsets[b.config.Orders.Topic] {
		sum += max(0, offset.At)
	}
	return sum
}
