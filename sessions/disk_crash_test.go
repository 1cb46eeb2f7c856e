package sessions

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

// topicRecord is the record at an offset of a partition: the same whenever it is read.
func topicRecord(partition int32, offset int64) diskRecord {
	n := int(offset)*2 + int(partition)
	r := diskRecord{Partition: partition, Session: someSessions[n%len(someSessions)]}
	switch {
	case n%11 == 10:
		r.Change = Change{Kind: Erase, At: noon.Add(time.Duration(n) * time.Second)}
	case n%13 == 12:
		r.Change = spoil
	default:
		r.Change = put(schema.Click{ID: hexID(n % 17), CapturedAt: noon.Add(time.Duration(n%7) * time.Minute)})
	}
	return r
}

// upTo is a Memory that read every partition up to the checkpoint that a store reports.
func upTo(t require.TestingT, store Store, layout Layout, partitions int32) *Memory {
	memory := NewMemory()
	require.NoError(t, memory.Begin(here(layout)))
	batch := memory.NewBatch()
	checkpoints := map[int32]Checkpoint{}
	for p := range partitions {
		if at := store.Checkpoint(p); at != (Checkpoint{}) {
			checkpoints[p] = at
		}
		for offset := range store.Checkpoint(p).Next {
			r := topicRecord(p, offset)
			batch.Add(p, []byte(r.Session), r.Change)
		}
	}
	require.NoError(t, batch.Commit(checkpoints))
	return memory
}

// TestDiskAfterACrashIsWhatItsCheckpointsSay takes copies of the file system between any two of its operations,
// with what was synced, all that was written, and something between.
func TestDiskAfterACrashIsWhatItsCheckpointsSay(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{Global, Copartitioned} {
		t.Run(string(layout), func(t *testing.T) {
			t.Parallel()
			const partitions, copies = 2, 150
			fs := crashable(t)
			random := rand.New(rand.NewPCG(1, uint64(len(layout))))
			var mu sync.Mutex
			var crashes []*vfs.MemFS
			operations := 0
			recording := errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
				if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				// A sample of them all, equally likely.
				crash := func() *vfs.MemFS {
					return fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 0, 50, 100}[random.IntN(4)], RNG: random})
				}
				operations++
				if len(crashes) < copies {
					crashes = append(crashes, crash())
				} else if i := random.IntN(operations); i < copies {
					crashes[i] = crash()
				}
				return nil
			}))
			workTheTopic(t, recording, layout, partitions)
			seen := map[int64]bool{}
			for i, crash := range crashes {
				disk := opened(t, crash, layout)
				seen[disk.Checkpoint(0).Next] = true
				if disk.Checkpoint(0).Next > 0 {
					require.NotContains(t, disk.log.String(), "set aside", "copy %d", i)
				}
				requireEqualStores(t, upTo(t, disk, layout, partitions), disk, partitions)
				require.NoError(t, disk.Close())
			}
			require.Greater(t, len(seen), 5, "the copies are too much alike to prove anything")
		})
	}
}

// workTheTopic reads the topic into a store by small and by bulk commits, with everything between that the
// database does on its own.
func workTheTopic(t *testing.T, fs vfs.FS, layout Layout, partitions int32) {
	disk := opened(t, fs, layout)
	next := make([]int64, partitions)
	for round := range 40 {
		p := int32(round) % partitions
		batch := disk.NewBatch()
		for range 1 + round%5 {
			r := topicRecord(p, next[p])
			batch.Add(p, []byte(r.Session), r.Change)
			next[p]++
		}
		disk.bulk = []int{1 << 30, 0, 1 << 30, 1 << 30, 0, 0}[round%6]
		require.NoError(t, batch.Commit(map[int32]Checkpoint{p: {Next: next[p]}}))
		switch round {
		case 9, 14, 27, 33:
			require.NoError(t, disk.flush())
		case 17, 36:
			disk.settle(t)
		case 21:
			require.NoError(t, disk.db.Compact(context.Background(), []byte{dataSpace}, []byte{dataSpace + 1}, true))
		case 24:
			// It is read again from its beginning.
			require.NoError(t, disk.Drop(p))
			if layout == Global {
				clear(next)
			} else {
				next[p] = 0
			}
		}
	}
	require.NoError(t, disk.Close())
}
