//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// TestMain also plays the benchmark's other processes: this program is what it starts again.
func TestMain(m *testing.M) {
	if serve() {
		return
	}
	os.Exit(m.Run())
}

func TestItMeasuresEveryFormatAndLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	for _, format := range []string{schema.FormatAvro, schema.FormatJSON, schema.FormatString} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			o := options{sessions: 20_000, partitions: 3, rounds: 1, format: format, dir: t.TempDir(), memory: 32 << 20}
			require.NoError(t, measure(t.Context(), o, &out))
			for _, step := range []string{
				"fill", "raw read", "cold start", "lookups at once", "settled", "hot lookups, 1 thread", "hot, absent sessions", "memory",
				"warm start, unsettled", "cold lookups", "after a kill", "restore, share of the raw read", "bytes on disk a session",
			} {
				require.Contains(t, out.String(), step)
			}
			requireEmpty(t, o.dir)
		})
	}
}

func TestItLeavesNothingBehindWhenItIsStopped(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	o := options{sessions: 20_000, partitions: 3, rounds: 1, format: schema.FormatString, dir: t.TempDir(), memory: 32 << 20}
	require.Error(t, measure(ctx, o, writerFunc(func(line []byte) {
		if bytes.HasPrefix(line, []byte("fill")) {
			cancel()
		}
	})))
	requireEmpty(t, o.dir)
}

func TestAWrongClickFailsIt(t *testing.T) {
	t.Parallel()
	const sessions = 100
	cluster := kafkatest.StartFake(t)
	table := &Table{task: task{
		World: world{Brokers: cluster.Fake.ListenAddrs()}, Topic: cluster.Topic(t, "cjevent", 3, map[string]string{"cleanup.policy": "compact"}),
		Shoppers: shoppers{Format: schema.FormatString, Until: time.Now().Truncate(time.Millisecond)}, Dir: t.TempDir(), Memory: 32 << 20,
	}}
	t.Cleanup(func() { require.NoError(t, table.close()) })
	client := cluster.Client(t, kgo.SeedBrokers(table.task.World.Brokers...))
	require.NoError(t, table.task.Shoppers.produce(t.Context(), client, table.task.Topic, 0, sessions))
	require.NoError(t, table.Restore(Opened{Records: sessions}, &Restored{}))

	asked := Asked{Sessions: sessions, Lookups: sessions, Goroutines: 2}
	require.NoError(t, table.Lookup(asked, &Lookups{}))
	asked.Absent = true
	require.NoError(t, table.Lookup(asked, &Lookups{}))
	asked.Absent, asked.Sessions = false, 1_000*sessions
	require.ErrorContains(t, table.Lookup(asked, &Lookups{}), `reason "no_click" instead of ""`)
	asked.Sessions = sessions
	table.task.Shoppers.Until = table.task.Shoppers.Until.Add(-time.Millisecond)
	require.ErrorContains(t, table.Lookup(asked, &Lookups{}), "another click")
}

func requireEmpty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// writerFunc is called with each line that is written.
type writerFunc func(line []byte)

func (f writerFunc) Write(line []byte) (int, error) {
	f(line)
	return len(line), nil
}
