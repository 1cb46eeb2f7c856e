package sessions

import (
	"encoding/binary"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"testing"

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

// benchSession appends the n-th of many UUIDs that lie in no order.
func benchSession(dst []byte, n int) []byte {
	var id [16]byte
	binary.BigEndian.PutUint64(id[:], uint64(n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(id[8:], uint64(n))
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// fill adds so many sessions with a click each.
func fill(b *testing.B, disk *Disk, sessions int) {
	batch := disk.NewBatch()
	change := put(at(hexID(1), 0))
	var session []byte
	for i := range sessions {
		session = benchSession(session[:0], i)
		batch.Add(0, session, change)
		if int64(batch.Bytes()) >= disk.BatchMemory() || i == sessions-1 {
			require.NoError(b, batch.Commit(map[int32]Checkpoint{0: {Next: int64(i + 1)}}))
		}
	}
}

// BenchmarkDiskHistory looks up sessions at random.
func BenchmarkDiskHistory(b *testing.B) {
	disk := benchDisk(b)
	fill(b, disk, benchSessions)
	require.NoError(b, disk.db.Compact(b.Context(), []byte{identitySpace}, []byte{dataSpace + 1}, false))
	sessions := make([]string, 1<<16)
	for i := range sessions {
		sessions[i] = string(benchSession(nil, rand.IntN(benchSessions)))
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
