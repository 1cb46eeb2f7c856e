package sessions

import (
	"math/rand/v2"
	"testing"

	"log/slog"

	"github.com/stretchr/testify/require"
)

// benchSessions is how many sessions the store of a benchmark holds: more than fit its cache.
const benchSessions = 1_000_000

// benchDisk is a store in a real directory.
func benchDisk(b *testing.B) *Disk {
	disk, err := OpenDisk(DiskConfig{Dir: b.TempDir(), MemoryBytes: 32 << 20, Log: slog.New(slog.DiscardHandler)})
	require.NoError(b, err)
	require.NoError(b, disk.Begin(here(Global)))
	b.Cleanup(func() { require.NoError(b, disk.Close()) })
	return disk
}

// fill adds so many sessions with a click each.
func fill(b *testing.B, disk *Disk, sessions int) {
	batch := disk.NewBatch()
	for i := range sessions {
		batch.Add(0, []byte(uuid(i)), put(at(hexID(i), 0)))
		if int64(batch.Bytes()) >= disk.BatchMemory() || i == sessions-1 {
			require.NoError(b, batch.Commit(map[int32]Checkpoint{0: {Next: int64(i + 1)}}))
		}
	}
}

// BenchmarkDiskHistory looks up sessions at random.
func BenchmarkDiskHistory(b *testing.B) {
	disk := benchDisk(b)
	fill(b, disk, benchSessions)
	sessions := make([]string, 1<<16)
	for i := range sessions {
		sessions[i] = uuid(rand.IntN(benchSessions))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		history, err := disk.History(0, sessions[i%len(sessions)])
		if err != nil || len(history.Clicks) != 1 {
			b.Fatalf("history %v, error %v", history, err)
		}
		i++
	}
}

// BenchmarkDiskCommit is the cost of a record of a topic that is read for the first time.
func BenchmarkDiskCommit(b *testing.B) {
	disk := benchDisk(b)
	b.ReportAllocs()
	fill(b, disk, b.N)
}
