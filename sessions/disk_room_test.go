package sessions

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// tightFS is a file system whose room and whose errors a test sets.
type tightFS struct {
	vfs.FS
	available atomic.Uint64

	mu sync.Mutex
	// fails decides which operation fails and how.
	fails func(op errorfs.Op) error
}

func newTightFS(fs vfs.FS) *tightFS {
	tight := &tightFS{}
	tight.available.Store(1 << 40)
	tight.FS = errorfs.Wrap(fs, errorfs.InjectorFunc(func(op errorfs.Op) error {
		tight.mu.Lock()
		defer tight.mu.Unlock()
		if tight.fails == nil || op.Kind.ReadOrWrite() == errorfs.OpIsRead {
			return nil
		}
		return tight.fails(op)
	}))
	return tight
}

func (f *tightFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.available.Load(), TotalBytes: 1 << 40}, nil
}

func (f *tightFS) fail(fails func(op errorfs.Op) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fails = fails
}

// failFiles makes writes to files with this in their path fail.
func (f *tightFS) failFiles(part string, err error) {
	f.fail(func(op errorfs.Op) error {
		if strings.Contains(op.Path, part) && (op.Kind == errorfs.OpCreate || op.Kind == errorfs.OpFileWrite) {
			return &os.PathError{Op: "write", Path: op.Path, Err: err}
		}
		return nil
	})
}

// held makes a store whose failed writes wait until the test lets them try again.
func (f *tightFS) held(t *testing.T) (disk *testDisk, tries chan struct{}) {
	disk, tries = held(t, f, testDir), make(chan struct{})
	disk.pause = func(closed <-chan struct{}) {
		select {
		case <-closed:
		case <-tries:
		}
	}
	require.NoError(t, disk.Begin(here(Global)))
	return disk, tries
}

func TestCommitKeepsItsBatchWhileThereIsNoRoom(t *testing.T) {
	t.Parallel()
	for name, bulk := range map[string]int{"Small": 1 << 30, "Bulk": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := newTightFS(vfs.NewMem())
			disk, _ := fs.held(t)
			disk.bulk = bulk
			batch := disk.NewBatch()
			batch.Add(0, []byte("s"), put(at("x", 0)))
			fs.available.Store(diskReserve - 1)
			err := batch.Commit(map[int32]Checkpoint{0: {Next: 1}})
			require.ErrorIs(t, err, syscall.ENOSPC)
			require.ErrorContains(t, err, testDir)
			require.ErrorContains(t, err, "is full: make room there")
			require.ErrorIs(t, disk.Healthy(), syscall.ENOSPC)
			require.ErrorIs(t, disk.Drop(0), syscall.ENOSPC)
			require.Zero(t, disk.Checkpoint(0))
			disk.requireClicks(t, 0, "s")
			fs.available.Store(1 << 40)
			require.NoError(t, disk.Healthy())
			batch.Add(0, []byte("s"), put(at("y", 0)))
			require.NoError(t, batch.Commit(map[int32]Checkpoint{0: {Next: 2}}))
			disk.requireClicks(t, 0, "s", "x", "y")
			require.NoError(t, disk.Close())
		})
	}
}

func TestBulkCommitKeepsItsBatchWhenItsFileCannotBeWritten(t *testing.T) {
	t.Parallel()
	fs := newTightFS(vfs.NewMem())
	disk, _ := fs.held(t)
	disk.bulk = 0
	batch := disk.NewBatch()
	batch.Add(0, []byte("s"), put(at("x", 0)))
	for _, fails := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		fs.failFiles("click-table.runs", fails)
		require.ErrorIs(t, batch.Commit(map[int32]Checkpoint{0: {Next: 1}}), fails)
		fs.fail(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileSync && strings.Contains(op.Path, "click-table.runs") {
				return fails
			}
			return nil
		})
		require.ErrorIs(t, batch.Commit(map[int32]Checkpoint{0: {Next: 1}}), fails)
		fs.fail(nil)
		names, err := fs.List(disk.files.runs())
		require.NoError(t, err)
		require.Empty(t, names, "half a file stays behind")
		require.Zero(t, disk.Checkpoint(0))
		disk.requireClicks(t, 0, "s")
	}
	require.NoError(t, batch.Commit(map[int32]Checkpoint{0: {Next: 1}}))
	disk.requireClicks(t, 0, "s", "x")
	require.NoError(t, disk.Close())
}

// TestFullDiskHoldsTheDatabasesOwnWrites fails, for each kind of file, what the database writes when it flushes:
// nothing ends the process, commits say what is wrong, and all goes on when there is room.
func TestFullDiskHoldsTheDatabasesOwnWrites(t *testing.T) {
	t.Parallel()
	for _, part := range []string{".sst", "MANIFEST"} {
		for _, fails := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS} {
			t.Run(part+fails.Error(), func(t *testing.T) {
				t.Parallel()
				mem := vfs.NewMem()
				fs := newTightFS(mem)
				disk, tries := fs.held(t)
				disk.commit(t, 0, 1, clicked("s", "x"))
				fs.failFiles(part, fails)
				disk.ticks <- noon
				for range 3 {
					tries <- struct{}{} // it failed, and tries again
				}
				require.ErrorIs(t, disk.Healthy(), fails)
				batch := disk.NewBatch()
				batch.Add(0, []byte("s"), put(at("y", 0)))
				require.ErrorIs(t, batch.Commit(map[int32]Checkpoint{0: {Next: 2}}), fails)
				disk.requireClicks(t, 0, "s", "x")
				fs.fail(nil)
				requireRecovers(t, disk, tries)
				require.NoError(t, batch.Commit(map[int32]Checkpoint{0: {Next: 2}}))
				require.NoError(t, disk.Close())
				require.False(t, disk.exited.Load())
				require.Equal(t, 1, strings.Count(disk.log.String(), "cannot be written"), "once is enough: %s", disk.log)
				again := opened(t, mem, Global)
				again.requireClicks(t, 0, "s", "x", "y")
				require.NoError(t, again.Close())
			})
		}
	}
}

func TestCloseDoesNotWaitForRoom(t *testing.T) {
	t.Parallel()
	mem := vfs.NewMem()
	fs := newTightFS(mem)
	disk, tries := fs.held(t)
	disk.commit(t, 0, 1, clicked("s", "x"))
	require.NoError(t, disk.flush())
	disk.commit(t, 0, 2, clicked("s", "y"))
	fs.failFiles(".sst", syscall.ENOSPC)
	disk.ticks <- noon
	tries <- struct{}{}
	err := disk.Close()
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.ErrorContains(t, err, testDir)
	require.False(t, disk.exited.Load())
	again := opened(t, mem, Global)
	require.EqualValues(t, 1, again.Checkpoint(0).Next)
	again.requireClicks(t, 0, "s", "x")
	require.NoError(t, again.Close())
}

func TestCloseSaysWhenTheLastFlushFails(t *testing.T) {
	t.Parallel()
	fs := newTightFS(vfs.NewMem())
	disk, _ := fs.held(t)
	disk.commit(t, 0, 1, clicked("s", "x"))
	fs.failFiles(".sst", syscall.EIO)
	require.ErrorIs(t, disk.Close(), syscall.EIO)
}

func TestFailedFlushesThatDoNotPassAreTriedAgain(t *testing.T) {
	t.Parallel()
	fs := newTightFS(vfs.NewMem())
	disk, tries := fs.held(t)
	disk.commit(t, 0, 1, clicked("s", "x"))
	fs.failFiles(".sst", syscall.EIO)
	disk.ticks <- noon
	tries <- struct{}{}
	tries <- struct{}{} // not at once and for ever, but after each pause
	require.ErrorIs(t, disk.Healthy(), syscall.EIO)
	fs.fail(nil)
	requireRecovers(t, disk, tries)
	require.NoError(t, disk.Close())
}

// requireRecovers lets a store try again until it is healthy.
func requireRecovers(t *testing.T, disk *testDisk, tries chan struct{}) {
	t.Helper()
	require.Eventually(t, func() bool {
		select {
		case tries <- struct{}{}:
		default:
		}
		return disk.Healthy() == nil
	}, long, time.Millisecond)
}

func TestBeginSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	fs := newTightFS(vfs.NewMem())
	disk := held(t, fs, testDir)
	fs.available.Store(1)
	require.ErrorContains(t, disk.Begin(here(Global)), "is full")
	fs.available.Store(1 << 40)
	require.NoError(t, disk.Healthy(), "before Begin")
	require.ErrorContains(t, disk.Begin(Origin{Layout: "sideways"}), `layout "sideways"`)
	require.NoError(t, disk.Begin(here(Global)), "it can be tried again")
	require.Error(t, disk.Begin(here(Global)), "once is enough")
	disk.commit(t, 0, 1, clicked("s", "x"))
	require.NoError(t, disk.Close())

	// What other rights or more room may cure sets nothing aside.
	for _, fails := range []error{syscall.EROFS, syscall.EACCES, syscall.ENOSPC, syscall.EMFILE} {
		disk = held(t, fs, testDir)
		fs.fail(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpLock {
				return fails
			}
			return nil
		})
		require.ErrorIs(t, disk.Begin(here(Global)), fails)
		require.NotContains(t, disk.log.String(), "set aside")
		fs.fail(nil)
		require.NoError(t, disk.Begin(here(Global)))
		disk.requireClicks(t, 0, "s", "x")
		require.NoError(t, disk.Close())
	}
}

func TestOpenDiskSaysWhyItCannot(t *testing.T) {
	t.Parallel()
	tests := map[error]string{
		syscall.EROFS:  "read-only file system: mount it writable",
		syscall.EACCES: "may not be written by this user",
		syscall.ENOSPC: "is full: make room there",
		syscall.EIO:    "cannot be written",
	}
	for _, kind := range []errorfs.OpKind{errorfs.OpMkdirAll, errorfs.OpLock} {
		for fails, says := range tests {
			fs := newTightFS(vfs.NewMem())
			fs.fail(func(op errorfs.Op) error {
				if op.Kind == kind {
					return fails
				}
				return nil
			})
			_, err := openDisk(DiskConfig{Dir: testDir}, fs)
			require.ErrorIs(t, err, fails)
			require.ErrorContains(t, err, says)
			require.ErrorContains(t, err, testDir)
		}
	}
	_, err := openDisk(DiskConfig{Dir: testDir, MemoryBytes: DiskMemoryMin - 1}, vfs.NewMem())
	require.ErrorContains(t, err, "must be at least 16777216")
}

func TestAClosedDiskSaysSo(t *testing.T) {
	t.Parallel()
	disk := held(t, vfs.NewMem(), testDir)
	_, err := disk.History(0, "s")
	require.ErrorIs(t, err, errNotBegun)
	require.Zero(t, disk.Size())
	require.NoError(t, disk.Begin(here(Global)))
	batch := disk.NewBatch()
	batch.Add(0, []byte("s"), spoil)
	require.NoError(t, disk.Close())
	require.NoError(t, disk.Close(), "twice")
	require.ErrorIs(t, batch.Commit(nil), errNotBegun)
	require.ErrorIs(t, disk.Drop(0), errNotBegun)
	require.Error(t, disk.Begin(here(Global)))
}
