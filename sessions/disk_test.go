package sessions

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDiskAgreesWithMemory(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{Global, Copartitioned} {
		t.Run(string(layout), func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) { agreesWithMemory(t, layout) })
		})
	}
}

// agreesWithMemory does the same to a Disk and to a Memory.
func agreesWithMemory(t *rapid.T, layout Layout) {
	const partitions = 3
	fs := vfs.NewMem()
	disk := opened(t, fs, layout)
	defer func() { require.NoError(t, disk.Close()) }()
	memory := NewMemory()
	require.NoError(t, memory.Begin(here(layout)))
	batches, model := make([]Batch, partitions), make([]Batch, partitions)
	renew := func() {
		for i := range batches {
			batches[i], model[i] = disk.NewBatch(), memory.NewBatch()
		}
	}
	renew()
	next := make([]int64, partitions)
	for range rapid.IntRange(5, 30).Draw(t, "steps") {
		p := rapid.Int32Range(0, partitions-1).Draw(t, "of")
		switch rapid.SampledFrom([]string{"add", "add", "add", "commit", "commit", "flush", "settle", "drop", "reopen"}).Draw(t, "step") {
		case "add":
			for range rapid.IntRange(1, 6).Draw(t, "records") {
				r := drawRecord(t, partitions)
				batches[r.Partition].Add(r.Partition, []byte(r.Session), r.Change)
				model[r.Partition].Add(r.Partition, []byte(r.Session), r.Change)
				next[r.Partition]++
			}
		case "commit":
			disk.bulk = rapid.SampledFrom([]int{0, 1 << 30}).Draw(t, "bulk")
			at := map[int32]Checkpoint{p: {Next: next[p], Current: noon.Add(time.Duration(next[p])), Agreeing: uint8(next[p] % 100)}}
			require.NoError(t, batches[p].Commit(at))
			require.NoError(t, model[p].Commit(at))
			require.Zero(t, batches[p].Bytes())
		case "flush":
			require.NoError(t, disk.flush())
		case "settle":
			disk.settle(t)
		case "drop":
			require.NoError(t, disk.Drop(p))
			require.NoError(t, memory.Drop(p))
		case "reopen":
			// What is not committed is lost, in both.
			require.NoError(t, disk.Close())
			disk = opened(t, fs, layout)
			require.NotContains(t, disk.log.String(), "set aside")
			renew()
		}
		requireEqualStores(t, memory, disk, partitions)
	}
}

func TestDiskTakesManyBatchesAtOnce(t *testing.T) {
	t.Parallel()
	const partitions, rounds, each = 4, 6, 300
	disk := opened(t, vfs.NewMem(), Global)
	disk.bulk = 10_000 // every other round is larger
	var writers sync.WaitGroup
	for p := range int32(partitions) {
		writers.Go(func() {
			batch := disk.NewBatch()
			for round := range rounds {
				for i := range each * (1 + round%2) {
					batch.Add(p, []byte(uuid(i)), put(at(fmt.Sprintf("p%dr%d", p, round), time.Duration(-round)*time.Second)))
				}
				if err := batch.Commit(map[int32]Checkpoint{p: {Next: int64(round + 1)}}); err != nil {
					t.Errorf("commit: %v", err)
				}
				if _, err := disk.History(0, uuid(1)); err != nil {
					t.Errorf("look up: %v", err)
				}
			}
		})
	}
	writers.Wait()
	for p := range int32(partitions) {
		require.EqualValues(t, rounds, disk.Checkpoint(p).Next)
	}
	history, err := disk.History(0, uuid(7))
	require.NoError(t, err)
	require.Len(t, history.Clicks, partitions*rounds)
	disk.settle(t)
	require.EqualValues(t, 2*each, disk.Sessions())
	require.Positive(t, disk.Size())
	require.NoError(t, disk.Close())
}

func TestDiskCountsSessions(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	disk := opened(t, fs, Copartitioned)
	require.Zero(t, disk.Sessions())
	disk.commit(t, 0, 1, clicked("a", "x"))
	disk.commit(t, 1, 1, clicked("a", "x"), clicked("b", "x"))
	require.EqualValues(t, 3, disk.Sessions(), "in memory")
	disk.bulk = 0
	disk.commit(t, 2, 1, clicked("c", "x"))
	require.NoError(t, disk.flush())
	require.EqualValues(t, 4, disk.Sessions(), "in files")
	for next := range int64(10) {
		disk.commit(t, 0, next+2)
		require.NoError(t, disk.flush())
	}
	require.EqualValues(t, 4, disk.Sessions(), "positions without clicks are no sessions")
	require.NoError(t, disk.Drop(1))
	disk.settle(t)
	require.EqualValues(t, 2, disk.Sessions(), "without those that were dropped")
	require.NoError(t, disk.Close())
	require.Zero(t, disk.Sessions())
	again := opened(t, fs, Copartitioned)
	require.EqualValues(t, 2, again.Sessions(), "after a restart")
	require.NoError(t, again.Close())
}

func TestDiskFlushesAtItsInterval(t *testing.T) {
	t.Parallel()
	fs := crashable(t)
	disk := opened(t, fs, Global)
	disk.commit(t, 0, 5, clicked("s", "x"))
	disk.ticks <- noon
	disk.ticks <- noon // taken only when the flush before has ended
	crashed := opened(t, fs.CrashClone(vfs.CrashCloneCfg{}), Global)
	require.EqualValues(t, 5, crashed.Checkpoint(0).Next)
	crashed.requireClicks(t, 0, "s", "x")
	require.NoError(t, crashed.Close())
	require.NoError(t, disk.Close())
}

func TestDiskForgetsErasedClicksInItsFiles(t *testing.T) {
	t.Parallel()
	packed := bytes.Repeat([]byte{0xab, 0xcd}, 8)
	id, raw := strings.Repeat("abcd", 8), "SeldomSeenClickID"
	fs := vfs.NewMem()
	disk := opened(t, fs, Global)
	// Versions in a bulk file, in the lowest level and in memory, and the tombstone above them all.
	disk.bulk = 0
	disk.commit(t, 0, 1, clicked("s", id), clicked("s", raw), clicked("other", "kept"))
	disk.settle(t)
	disk.commit(t, 0, 2, clicked("s", id), clicked("s", raw))
	disk.bulk = 1 << 30
	disk.commit(t, 0, 3, clicked("s", raw))
	require.True(t, inFiles(t, fs, testDir, packed))
	require.True(t, inFiles(t, fs, testDir, []byte(raw)))
	disk.commit(t, 0, 4, erasedRecord("s"))
	history, err := disk.History(0, "s")
	require.NoError(t, err)
	require.Equal(t, History{Erased: true}, plain(history))
	disk.settle(t)
	require.NoError(t, disk.Close())
	require.False(t, inFiles(t, fs, testDir, packed), "the id that packs is still in a file")
	require.False(t, inFiles(t, fs, testDir, []byte(raw)), "the other id is still in a file")
	require.True(t, inFiles(t, fs, testDir, []byte("kept")))
}

// inFiles looks for bytes in every file below a directory.
func inFiles(t *testing.T, fs vfs.FS, dir string, what []byte) bool {
	t.Helper()
	found := false
	eachFile(t, fs, dir, func(_ string, data []byte) { found = found || bytes.Contains(data, what) })
	return found
}

func eachFile(t *testing.T, fs vfs.FS, dir string, do func(path string, data []byte)) {
	t.Helper()
	names, err := fs.List(dir)
	require.NoError(t, err)
	for _, name := range names {
		path := fs.PathJoin(dir, name)
		info, err := fs.Stat(path)
		require.NoError(t, err)
		if info.IsDir() {
			eachFile(t, fs, path, do)
			continue
		}
		do(path, contents(t, fs, path))
	}
}

func contents(t *testing.T, fs vfs.FS, path string) []byte {
	t.Helper()
	file, err := fs.Open(path)
	require.NoError(t, err)
	data, err := io.ReadAll(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	return data
}

func TestBatchGivesMemoryBack(t *testing.T) {
	t.Parallel()
	disk := opened(t, vfs.NewMem(), Global)
	batch := disk.NewBatch().(*diskBatch)
	large := strings.Repeat("k", 3*pieceBytes/2) // larger than a piece
	for i := range 40_000 {
		batch.Add(0, []byte(uuid(i)), put(at(hexID(i), 0)))
	}
	batch.Add(0, []byte(large), spoil)
	require.Greater(t, batch.Bytes(), 40_000*(18+25+entryBytes))
	require.NoError(t, batch.Commit(map[int32]Checkpoint{0: {Next: 1}}))
	history, err := disk.History(0, large)
	require.NoError(t, err)
	require.True(t, history.Spoiled)
	disk.requireClicks(t, 0, uuid(39_999), hexID(39_999))
	for range 2 {
		batch.Add(0, []byte("s"), spoil)
		require.NoError(t, batch.Commit(nil))
	}
	kept := cap(batch.entries) * entryBytes
	for _, piece := range batch.spare {
		kept += cap(piece)
	}
	require.LessOrEqual(t, kept, pieceBytes+firstPiece)
	require.NoError(t, disk.Close())
}

// An entry points to its change with 32 bits. Were there more pieces than these can count, clicks would be another's.
func TestBatchesOfALargeTableAreWithinWhatTheirEntriesCanPointTo(t *testing.T) {
	t.Parallel()
	disk, err := OpenDisk(DiskConfig{Dir: t.TempDir(), MemoryBytes: 64 << 30, Log: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	defer func() { require.NoError(t, disk.Close()) }()
	// A piece is left when the next change does not fit: with that change it would be more than full.
	pieces := 2*disk.BatchMemory()/pieceBytes + 1
	require.LessOrEqual(t, pieces, int64(1)<<(32-pieceBits))
}
