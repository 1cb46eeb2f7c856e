package sessions

import (
	"errors"
	"maps"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// shelf is where an instance's store lies while no table uses it.
type shelf interface {
	open(w *world) Store
	// close takes the store back. A crash goes back to what was last flushed, or further on.
	close(crash bool) error
	// flush makes what was committed outlive a crash.
	flush() error
	// survives tells whether the next store is not empty.
	survives() bool
}

func (w *world) newShelf() shelf {
	if w.one(4) {
		return forgetting{}
	}
	return pick[shelf](w.rand, &memoryShelf{}, &memoryShelf{}, &diskShelf{})
}

// forgetting keeps nothing.
type forgetting struct{}

func (forgetting) open(*world) Store { return NewMemory() }
func (forgetting) close(bool) error  { return nil }
func (forgetting) flush() error      { return nil }
func (forgetting) survives() bool    { return false }

// memoryShelf keeps a Memory, and a copy of it for a crash.
type memoryShelf struct{ store, flushed *surviving }

func (s *memoryShelf) open(*world) Store {
	if s.store == nil {
		s.store = &surviving{Memory: NewMemory()}
		s.flushed = s.store.copied()
	}
	return s.store
}

func (s *memoryShelf) close(crash bool) error {
	if crash {
		s.store = s.flushed.copied()
		return nil
	}
	return s.flush()
}

func (s *memoryShelf) flush() error {
	s.flushed = s.store.copied()
	return nil
}

func (s *memoryShelf) survives() bool { return true }

func (s *surviving) copied() *surviving {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Memory.mu.RLock()
	defer s.Memory.mu.RUnlock()
	copied := &Memory{layout: s.layout, sessions: map[memoryKey]lineages{}, checkpoints: maps.Clone(s.checkpoints)}
	for key, l := range s.sessions {
		copied.sessions[key] = l.clone()
	}
	return &surviving{Memory: copied, origin: s.origin}
}

// diskShelf keeps a Disk's files.
type diskShelf struct {
	files *vfs.MemFS
	disk  *Disk
}

func (s *diskShelf) open(w *world) Store {
	if s.files == nil {
		// The directory is there before the store, as a volume is.
		s.files = vfs.NewCrashableMem()
		require.NoError(w.t, s.files.MkdirAll("clicks", 0o755))
		root, err := s.files.OpenDir("")
		require.NoError(w.t, err)
		require.NoError(w.t, root.Sync())
		require.NoError(w.t, root.Close())
	}
	var err error
	s.disk, err = openDisk(DiskConfig{Dir: "clicks", MemoryBytes: DiskMemoryMin, Log: w.config().Log}, s.files)
	require.NoError(w.t, err)
	s.disk.compactions.loading = 0
	return s.disk
}

func (s *diskShelf) close(crash bool) error {
	if !crash {
		return s.disk.Close()
	}
	// What was not synced is lost, all of it, and what the disk writes from now on too.
	left := s.files.CrashClone(vfs.CrashCloneCfg{})
	_ = s.disk.Close()
	s.files = left
	return nil
}

func (s *diskShelf) flush() error {
	s.disk.life.RLock()
	defer s.disk.life.RUnlock()
	if s.disk.db == nil {
		return nil
	}
	return s.disk.flush()
}

func (s *diskShelf) survives() bool { return true }

// slowStore takes its time to commit, and fails now and then, as a full disk does. On a real cluster time is not free.
type slowStore struct {
	Store
	brake   *brake
	commits atomic.Int64
}

func (s *slowStore) NewBatch() Batch { return &slowBatch{Batch: s.Store.NewBatch(), store: s} }

var errFull = errors.New("no room for now")

type slowBatch struct {
	Batch
	store *slowStore
}

func (b *slowBatch) Commit(checkpoints map[int32]Checkpoint) error {
	if b.store.brake.pace > 0 {
		time.Sleep(b.store.brake.pace)
		if b.store.commits.Add(1)%11 == 0 {
			return errFull
		}
	}
	return b.Batch.Commit(checkpoints)
}
