package sessions

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// bundle is a click topic and tables over it.
type bundle struct {
	*kafkatest.Cluster
	topic string
	log   buffer
	// decode is the tables' decoder; clicks are bare ids unless a test changes it.
	decode schema.ClickDecoder
}

func setup(t *testing.T, cluster *kafkatest.Cluster, partitions int32) *bundle {
	t.Helper()
	decode, err := schema.NewClickDecoder(schema.FormatString, nil)
	require.NoError(t, err)
	return &bundle{
		Cluster: cluster, decode: decode,
		topic: cluster.Topic(t, "cjevent", partitions, map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"}),
	}
}

// open runs a table until the test ends.
func (b *bundle) open(t *testing.T, options ...kgo.Opt) *Table {
	t.Helper()
	config := b.config()
	config.Client = append(config.Client, options...)
	return run(t, b, config, NewMemory())
}

// config is how the bundle's tables are set.
func (b *bundle) config() Config {
	return Config{
		Topic: b.topic, Window: window, Decode: b.decode, Client: b.Options(), BatchMemory: 4 << 20,
		Log: slog.New(slog.NewTextHandler(&b.log, nil)),
	}
}

// run runs a table over a store until the test ends.
func run(t *testing.T, b *bundle, config Config, store Store) *Table {
	t.Helper()
	running := start(t, b, config, store)
	t.Cleanup(running.stop)
	return running.Table
}

// running is a table that the test stops itself.
type running struct {
	*Table
	ended chan error
	stop  func()
}

func start(t *testing.T, b *bundle, config Config, store Store) *running {
	t.Helper()
	table, err := Open(config, store)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{Table: table, ended: make(chan error, 1)}
	go func() { r.ended <- table.Run(ctx) }()
	r.stop = func() {
		cancel()
		require.NoError(t, <-r.ended)
		table.Close()
		if t.Failed() {
			t.Logf("log of the table:\n%s", b.log.String())
		}
	}
	return r
}

// click is a bare click id, caught that long before noon.
func (b *bundle) click(session, id string, before time.Duration) *kgo.Record {
	return &kgo.Record{Topic: b.topic, Key: []byte(session), Value: []byte(id), Timestamp: noon.Add(-before)}
}

func (b *bundle) tombstone(session string) *kgo.Record {
	return &kgo.Record{Topic: b.topic, Key: []byte(session)}
}

// requireVerdict waits for a gate of its own and looks the session up for an order at noon.
func requireVerdict(t *testing.T, table *Table, session, id string, reason schema.Reason) {
	t.Helper()
	requireOpens(t, table.Gate())
	click, miss, err := table.Lookup(0, session, noon)
	require.NoError(t, err)
	require.Equal(t, reason, miss)
	require.Equal(t, id, click.ID)
}

// long is more than anything here takes on a machine that is not stuck.
const long = time.Minute

func requireOpens(t *testing.T, gate *Gate) {
	t.Helper()
	requireOpensFor(t, gate, 0)
}

func requireOpensFor(t *testing.T, gate *Gate, partition int32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	require.NoError(t, gate.Wait(ctx, partition), "the gate does not open")
}

// requireShut gives the gate a moment to open, which it must not use. A slow machine can only make this pass.
func requireShut(t *testing.T, gate *Gate) {
	t.Helper()
	requireShutFor(t, gate, 0)
}

func requireShutFor(t *testing.T, gate *Gate, partition int32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, gate.Wait(ctx, partition), context.DeadlineExceeded, "the gate opened")
}

// request makes the gate ask for its listing without waiting for it.
func request(t *testing.T, gate *Gate) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, gate.Wait(ctx, 0), context.Canceled)
}

func requireReady(t *testing.T, table *Table) {
	t.Helper()
	require.Eventually(t, func() bool { return table.Ready() == nil }, long, 5*time.Millisecond, "never ready: %v", table.Ready())
}

func requireUnready(t *testing.T, table *Table, part string) {
	t.Helper()
	require.Eventually(t, func() bool {
		err := table.Ready()
		return err != nil && strings.Contains(err.Error(), part)
	}, long, 5*time.Millisecond, "Ready never says %q: %v", part, table.Ready())
}

// id makes the n-th click id.
func id(n int) string { return fmt.Sprintf("click%d", n) }

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
