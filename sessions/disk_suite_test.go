package sessions

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cjrelay/cjrelay/schema"
)

// here is what the tests' stores are filled from.
func here(layout Layout) Origin { return Origin{TopicID: [16]byte{1, 2, 3}, Layout: layout} }

// testDisk is a store in a directory of a file system that need not be a real one.
type testDisk struct {
	*Disk
	log *buffer
	// ticks makes it flush.
	ticks chan time.Time
	// exited: it would have ended the process.
	exited atomic.Bool
}

const testDir = "data"

// crashable is a file system that forgets in a crash what was not synced. The directory is there for long.
func crashable(t require.TestingT) *vfs.MemFS {
	fs := vfs.NewCrashableMem()
	require.NoError(t, fs.MkdirAll(testDir, 0o750))
	root, err := fs.OpenDir("/")
	require.NoError(t, err)
	require.NoError(t, root.Sync())
	require.NoError(t, root.Close())
	return fs
}

// opened opens a store and begins it.
func opened(t require.TestingT, fs vfs.FS, layout Layout) *testDisk {
	d := held(t, fs, testDir)
	require.NoError(t, d.Begin(here(layout)))
	return d
}

// held opens a store that is not begun.
func held(t require.TestingT, fs vfs.FS, dir string) *testDisk {
	d := &testDisk{log: &buffer{}, ticks: make(chan time.Time)}
	disk, err := openDisk(DiskConfig{Dir: dir, MemoryBytes: DiskMemoryMin, Log: slog.New(slog.NewTextHandler(d.log, nil))}, fs)
	require.NoError(t, err)
	d.Disk, disk.flushAfter = disk, d.ticks
	disk.compactions.loading = 0
	disk.exit = func(int) {
		d.exited.Store(true)
		panic("the process would end")
	}
	return d
}

// settle brings everything to the files, and the files together.
func (d *testDisk) settle(t require.TestingT) {
	require.NoError(t, d.flush())
	require.NoError(t, d.db.Compact(context.Background(), []byte{0}, []byte{255}, false))
}

// commit adds changes of a partition and commits them with a checkpoint behind them.
func (d *testDisk) commit(t require.TestingT, partition int32, next int64, records ...diskRecord) {
	batch := d.NewBatch()
	for _, r := range records {
		batch.Add(partition, []byte(r.Session), r.Change)
	}
	require.NoError(t, batch.Commit(map[int32]Checkpoint{partition: {Next: next}}))
}

// requireClicks asks for the ids of a session's clicks.
func (d *testDisk) requireClicks(t require.TestingT, partition int32, session string, ids ...string) {
	history, err := d.History(partition, session)
	require.NoError(t, err)
	var found []string
	for _, click := range history.Clicks {
		found = append(found, click.ID)
	}
	require.Equal(t, ids, found)
}

func hexID(n int) string { return fmt.Sprintf("%032x", n) }
func uuid(n int) string  { return fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(n)*2654435761, n) }

// diskRecord is one record of a click topic.
type diskRecord struct {
	Partition int32
	Session   string
	Change    Change
}

func clicked(session, id string) diskRecord {
	return diskRecord{Session: session, Change: put(at(id, time.Hour))}
}

func erasedRecord(session string) diskRecord { return diskRecord{Session: session, Change: erase} }

var (
	someSessions = []string{uuid(1), uuid(2), "s-1", "s", "anna@example.com"}
	someIDs      = []string{hexID(1), hexID(2), "a", "B7", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ00"}
	someTimes    = []time.Duration{-400 * 24 * time.Hour, -time.Hour, 0, time.Millisecond, time.Hour}
)

// drawRecord draws a record of few sessions, ids and times, so that equal ones meet.
func drawRecord(t *rapid.T, partitions int32) diskRecord {
	r := diskRecord{
		Partition: rapid.Int32Range(0, partitions-1).Draw(t, "partition"),
		Session:   rapid.SampledFrom(someSessions).Draw(t, "session"),
	}
	when := noon.Add(rapid.SampledFrom(someTimes).Draw(t, "time"))
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		r.Change = Change{Kind: Erase, At: when}
	case 1:
		r.Change = spoil
	default:
		r.Change = put(schema.Click{ID: rapid.SampledFrom(someIDs).Draw(t, "id"), CapturedAt: when})
	}
	return r
}

// requireEqualStores compares what two stores say of every session.
func requireEqualStores(t require.TestingT, want, got Store, partitions int32) {
	for partition := range partitions {
		require.Equal(t, want.Checkpoint(partition), got.Checkpoint(partition), "checkpoint of partition %d", partition)
		for _, session := range someSessions {
			w, err := want.History(partition, session)
			require.NoError(t, err)
			g, err := got.History(partition, session)
			require.NoError(t, err)
			require.Equal(t, plain(w), plain(g), "partition %d, session %s", partition, session)
		}
	}
}

// plain makes histories without clicks equal.
func plain(h History) History {
	if len(h.Clicks) == 0 {
		h.Clicks = nil
	}
	return h
}
