package sessions

import (
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// surviving is a Memory that a restart finds as it was left.
type surviving struct {
	*Memory
	// mu keeps a copy from having the origin of one topic and the clicks of another.
	mu     sync.Mutex
	origin Origin
}

func (s *surviving) Begin(origin Origin) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.origin == origin {
		return nil
	}
	s.origin = origin
	return s.Memory.Begin(origin)
}

// backdate makes a checkpoint older.
func (s *surviving) backdate(t *testing.T, partition int32, by time.Duration) {
	t.Helper()
	at := s.Checkpoint(partition)
	at.Current = at.Current.Add(-by)
	require.NoError(t, s.NewBatch().Commit(map[int32]Checkpoint{partition: at}))
}

func TestRestartReadsOnlyTheTail(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	store := &surviving{Memory: NewMemory()}
	b.Produce(t, b.click("s-1", "one", time.Hour), b.click("s-2", "two", time.Hour), b.tombstone("s-2"))
	before := start(t, b, b.config(), store)
	requireVerdict(t, before.Table, "s-1", "one", "")
	before.stop()
	b.Produce(t, b.click("s-1", "tail", time.Minute))
	after := run(t, b, b.config(), store)
	requireVerdict(t, after, "s-1", "tail", "")
	requireVerdict(t, after, "s-2", "", schema.ReasonClickErased)
	require.InDelta(t, 1, testutil.ToFloat64(after.metrics.applied), 0)
	require.InDelta(t, 0, testutil.ToFloat64(after.metrics.erased), 0)
}

// A click was erased while nobody read, and the topic has forgotten the erasure: only the click's absence tells.
func TestStoreOlderThanTombstonesLiveIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	store := &surviving{Memory: NewMemory()}
	b.Produce(t, b.click("s", "erased", time.Hour), b.click("s-2", "old", time.Hour))
	before := start(t, b, b.config(), store)
	requireVerdict(t, before.Table, "s", "erased", "")
	before.stop()
	b.Produce(t, b.click("s-2", "new", time.Minute))
	b.deleteRecords(t, 2)

	// Within the life of tombstones the store is gone on from, and keeps what the topic has let go.
	store.backdate(t, 0, 23*time.Hour)
	within := start(t, b, b.config(), store)
	requireVerdict(t, within.Table, "s", "erased", "")
	within.stop()

	store.backdate(t, 0, 25*time.Hour)
	beyond := run(t, b, b.config(), store)
	requireVerdict(t, beyond, "s", "", schema.ReasonNoClick)
	requireVerdict(t, beyond, "s-2", "new", "")
	require.Contains(t, b.log.String(), "erased clicks would come back")
}

// Some write "for ever" as the largest number that Kafka takes.
func TestStoreOfATopicThatKeepsTombstonesForEverIsGoneOnFrom(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.topic = b.Topic(t, "cjevent", 1, map[string]string{
		"cleanup.policy": "compact,delete", "retention.ms": "-1", "delete.retention.ms": strconv.FormatInt(math.MaxInt64, 10),
	})
	store := &surviving{Memory: NewMemory()}
	b.Produce(t, b.click("s", "kept", time.Hour))
	before := start(t, b, b.config(), store)
	requireVerdict(t, before.Table, "s", "kept", "")
	before.stop()
	store.backdate(t, 0, 1000*time.Hour)
	after := run(t, b, b.config(), store)
	requireVerdict(t, after, "s", "kept", "")
	require.NotContains(t, b.log.String(), "made anew from the topic")
}

// A table that stands still for longer than tombstones live has missed some for good.
func TestTableThatFellTooFarBehindEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	table := start(t, b, b.config(), NewMemory())
	requireReady(t, table.Table)
	table.progress.mu.Lock()
	table.progress.readings[0].current = time.Now().Add(-25 * time.Hour)
	// It lacks what a listing waits for, so the listing does not date it anew.
	table.progress.readings[0].position = -1
	table.progress.mu.Unlock()
	table.lister.request()
	require.ErrorContains(t, <-table.ended, "a restart makes the table anew")
	table.Close()
}

func TestStoreThatIsAheadOfTheTopicIsMadeAnew(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	store := &surviving{Memory: NewMemory()}
	b.Produce(t, b.click("s", "kept", time.Hour))
	before := start(t, b, b.config(), store)
	requireVerdict(t, before.Table, "s", "kept", "")
	before.stop()
	batch := store.NewBatch()
	batch.Add(0, []byte("s-2"), put(at("truncated", time.Hour)))
	require.NoError(t, batch.Commit(map[int32]Checkpoint{0: {Next: 99, Current: time.Now()}}))
	after := run(t, b, b.config(), store)
	requireVerdict(t, after, "s", "kept", "")
	requireVerdict(t, after, "s-2", "", schema.ReasonNoClick)
	require.Contains(t, b.log.String(), "it lost records")
}

func TestStoreOfAnotherTopicIsNotUsed(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Start(t)
	store := &surviving{Memory: NewMemory()}
	first, second := setup(t, cluster, 1), setup(t, cluster, 1)
	first.Produce(t, first.click("s", "first", time.Hour))
	before := start(t, first, first.config(), store)
	requireVerdict(t, before.Table, "s", "first", "")
	before.stop()
	requireVerdict(t, run(t, second, second.config(), store), "s", "", schema.ReasonNoClick)
}

// The date goes on with a topic that has no news: its store must not grow old while it is up to date.
func TestCheckpointsAreDatedWithoutNews(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	store := &surviving{Memory: NewMemory()}
	table := start(t, b, b.config(), store)
	requireOpens(t, table.Gate())
	require.Eventually(t, func() bool { return !store.Checkpoint(0).Current.IsZero() }, long, time.Millisecond,
		"even an empty partition has a checkpoint")
	first := store.Checkpoint(0).Current
	requireOpens(t, table.Gate())
	table.stop()
	require.True(t, store.Checkpoint(0).Current.After(first))
}
