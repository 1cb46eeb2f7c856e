package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
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

// merchant is a shop with a CJ that answers, relays that run in this process, and a configuration file for the verbs.
type merchant struct {
	kafka                        *kafkatest.Cluster
	cj                           *cjtest.Server
	orders, clicks, dlq, results string
	file                         string
	confirmed                    time.Time
}

// patience bounds every wait. It says nothing about speed.
const patience = time.Minute

// newMerchant opens a shop. What more it gets stands in the section for clicks.
func newMerchant(t *testing.T, partitions int32, more ...string) *merchant {
	t.Helper()
	return newMerchantOn(t, kafkatest.Start(t), partitions, more...)
}

// newMerchantOn is newMerchant on a cluster of the test's own.
func newMerchantOn(t *testing.T, kafka *kafkatest.Cluster, partitions int32, more ...string) *merchant {
	t.Helper()
	m := &merchant{kafka: kafka, confirmed: time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)}
	cj, err := cjtest.Start()
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	m.cj = cj
	m.orders, m.dlq, m.results = m.kafka.Topic(t, "orders", partitions, nil), m.kafka.Topic(t, "dlq", 1, nil), m.kafka.Topic(t, "outcomes", 1, nil)
	m.clicks = m.kafka.Topic(t, "clicks", partitions, map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"})
	folder := t.TempDir()
	m.file = filepath.Join(folder, "cjrelay.yaml")
	text := fmt.Sprintf(`
kafka: {brokers: [%q], session_timeout: 6s}
orders: {topic: %s, group: %s, format: json, start: earliest}
clicks: {%s}
dead_letter: {topic: %s}
outcomes: {topic: %s}
cj: {endpoint: %q, enterprise_id: "1234567", actions: {sale: "398210"}}
delivery: {mass_wait: 10ms, backoff_initial: 10ms, backoff_max: 50ms, commit_interval: 50ms}
breaker: {open: 100ms}
admin: {listen: '127.0.0.1:0'}
`, m.kafka.Brokers[0], m.orders, m.orders, strings.Join(append(more, "topic: "+m.clicks, "format: string", "dir: "+filepath.Join(folder, "clicks")), ", "), m.dlq, m.results, cj.Endpoint())
	require.NoError(t, os.WriteFile(m.file, []byte(text), 0o600))
	return m
}

// order is a valid one of a session.
func (m *merchant) order(id, session string) string {
	return fmt.Sprintf(`{"order_id":%q,"session_id":%q,"confirmed_at":%q,"currency":"USD","amount":"22.99"}`, id, session, m.confirmed.Format(time.RFC3339Nano))
}

// confirm writes orders, one after the other, into a partition.
func (m *merchant) confirm(t *testing.T, partition int32, values ...string) {
	t.Helper()
	client := m.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, value := range values {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: m.orders, Partition: partition, Value: []byte(value)}).FirstErr())
	}
}

// confirmAll writes many at once.
func (m *merchant) confirmAll(t *testing.T, partition int32, values ...string) {
	t.Helper()
	client := m.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for _, value := range values {
		client.Produce(t.Context(), &kgo.Record{Topic: m.orders, Partition: partition, Value: []byte(value)}, nil)
	}
	require.NoError(t, client.Flush(t.Context()))
}

// clickRecord is a click of a session an hour before its order.
func (m *merchant) clickRecord(session, click string) *kgo.Record {
	return &kgo.Record{Topic: m.clicks, Key: []byte(session), Value: []byte(click), Timestamp: m.confirmed.Add(-time.Hour)}
}

// click lets sessions click an hour before their orders. The click's id is the session's.
func (m *merchant) click(t *testing.T, sessions ...string) {
	t.Helper()
	records := make([]*kgo.Record, len(sessions))
	for i, session := range sessions {
		records[i] = m.clickRecord(session, session)
	}
	m.kafka.Produce(t, records...)
}

// run runs a relay until stop is called or the test ends.
func (m *merchant) run(t *testing.T) (stop func()) {
	t.Helper()
	cfg, err := config.Load(m.file, nil)
	require.NoError(t, err)
	var log safeBuffer
	processor, err := relay.New(cfg, slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- processor.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-ended)
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	return stop
}

// outcomes waits until there are n, and returns them in the order in which they were written.
func (m *merchant) outcomes(t *testing.T, n int) []schema.OutcomeRecord {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := kgo.NewClient(append(m.kafka.Options(), kgo.ConsumeTopics(m.results), kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))...)
	require.NoError(t, err)
	defer client.Close()
	var all []schema.OutcomeRecord
	for len(all) < n {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			outcome, err := schema.DecodeOutcome(r.Value)
			require.NoError(t, err)
			all = append(all, outcome)
		})
		require.NoError(t, ctx.Err(), "%d of %d outcomes", len(all), n)
	}
	require.Len(t, all, n)
	return all
}

// awaitRequests waits until CJ has received n requests.
func (m *merchant) awaitRequests(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, m.cj.Wait(ctx, n), "%d of %d requests", m.cj.Count(), n)
}

// verb calls a verb with the merchant's configuration and demands that it ends with that code.
func (m *merchant) verb(t *testing.T, code int, args ...string) result {
	t.Helper()
	got := call(t, "", append(args, "--config", m.file)...)
	require.Equal(t, code, got.code, "%v: %s%s", args, got.out, got.err)
	return got
}

type safeBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
