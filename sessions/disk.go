package sessions

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Bounds of DiskConfig.MemoryBytes.
const (
	// DiskMemoryDefault leaves room for the rest of a process that may use 512 MiB. Ten million sessions are
	// then looked up about as fast as with any more: their files are in the page cache.
	DiskMemoryDefault = 256 << 20
	// DiskMemoryMin is the smallest bound the database works within.
	DiskMemoryMin = 16 << 20
)

// DiskConfig says where a Disk keeps its files and how much memory it may use.
type DiskConfig struct {
	// Dir is the directory for the store's files. It is made when it is missing. Other files in it are left
	// alone; another process with a Disk in it is refused.
	Dir string
	// MemoryBytes bounds what the store holds in memory: half for the database's cache of blocks, a quarter for
	// what is not yet written to its files, up to a quarter for all batches together (see BatchMemory). Zero is
	// DiskMemoryDefault; less than DiskMemoryMin is refused.
	MemoryBytes int64
	// Log gets what an operator should know: a store that was set aside, a full disk.
	Log *slog.Logger
}

// Disk is a Store in files, so that a restart reads only the end of the topic. Changes and the checkpoints that
// belong to them reach the files together; a crash loses the latest of both, and they are read from the topic
// again. Times of clicks are kept in milliseconds.
//
// Files that are damaged, of another topic, layout or version, or half made are set aside by Begin and made
// anew. They stay beside the new ones, to be looked at, until a later Begin finds everything in order.
type Disk struct {
	config DiskConfig
	files  diskFiles
	lock   io.Closer
	// exit ends the process when the database cannot go on; see diskLog.
	exit func(code int)
	// bulk is the size in bytes from which a batch is written as a file of its own.
	bulk int
	// flushAfter says when changes have been in memory only for long enough; nil is every flushInterval.
	flushAfter <-chan time.Time
	// pause waits before a failed write is tried again; closed says that waiting is over.
	pause func(closed <-chan struct{})

	// life guards these: held for reading while they are used, for writing while they change.
	life    sync.RWMutex
	db      *pebble.DB
	options *pebble.Options
	layout  Layout

	// disk is the file system of db. Close needs it while a commit that waits for room holds life.
	disk atomic.Pointer[patientFS]

	mu          sync.Mutex // guards checkpoints
	checkpoints map[int32]Checkpoint

	noting   sync.Mutex // held while damage is noted or forgotten
	damage   atomic.Pointer[damage]
	flushing flushing
	// compactions bring files together.
	compactions compactions
	// run numbers the files that batches are written to.
	run atomic.Int64
}

var _ Store = (*Disk)(nil)

// errNotBegun is what a Disk answers before Begin and after Close.
var errNotBegun = errors.New("the click table's store is not open")

// OpenDisk takes hold of a directory. Close gives it back.
func OpenDisk(config DiskConfig) (*Disk, error) {
	return openDisk(config, vfs.Default)
}

func openDisk(config DiskConfig, fs vfs.FS) (*Disk, error) {
	if config.MemoryBytes == 0 {
		config.MemoryBytes = DiskMemoryDefault
	}
	if config.MemoryBytes < DiskMemoryMin {
		return nil, fmt.Errorf("the click table's memory of %d bytes: must be at least %d", config.MemoryBytes, int64(DiskMemoryMin))
	}
	d := &Disk{
		compactions: compactions{loading: loadingFor},
		config:      config,
		files:       diskFiles{fs: fs, dir: config.Dir},
		exit:        os.Exit,
		bulk:        int(min(bulkBytes, config.MemoryBytes/64)),
		checkpoints: map[int32]Checkpoint{},
		pause:       writePause,
	}
	var err error
	if d.lock, err = d.files.hold(); err != nil {
		return nil, err
	}
	return d, nil
}

// NewBatch implements Store. Call it after Begin.
func (d *Disk) NewBatch() Batch {
	d.life.RLock()
	defer d.life.RUnlock()
	return &diskBatch{disk: d, layout: d.layout, space: spaceSize(d.layout)}
}

// BatchMemory is how many bytes all batches together may take before they are committed: their share of MemoryBytes, but
// no more than the entries of one batch can point into. That is 1 GiB; larger batches are no faster.
func (d *Disk) BatchMemory() int64 { return min(d.config.MemoryBytes/4, mostBatchBytes) }

// History implements Store.
func (d *Disk) History(partition int32, session string) (History, error) {
	d.life.RLock()
	defer d.life.RUnlock()
	if err := d.usable(); err != nil {
		return History{}, err
	}
	var room [64]byte
	value, closer, err := d.db.Get(appendSessionKey(room[:0], d.layout, partition, session))
	if errors.Is(err, pebble.ErrNotFound) {
		return History{}, nil
	}
	if err != nil {
		return History{}, d.failed("look a session up", err)
	}
	l, err := decodeLineages(value)
	if closed := closer.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return History{}, d.failed("look a session up", err)
	}
	return l.history(), nil
}

// Checkpoint implements Store.
func (d *Disk) Checkpoint(partition int32) Checkpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.checkpoints[partition]
}

// Drop implements Store. The files get smaller only when the database next rewrites them.
func (d *Disk) Drop(partition int32) error {
	d.life.RLock()
	defer d.life.RUnlock()
	if err := d.writable(0); err != nil {
		return err
	}
	start, end := spaceRange(d.layout, partition)
	if err := d.db.DeleteRange(start, end, pebble.NoSync); err != nil {
		return d.failed("forget a partition", err)
	}
	d.flushing.dirty.Store(true)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.layout == Global {
		clear(d.checkpoints)
	} else {
		delete(d.checkpoints, partition)
	}
	return nil
}

// Sessions implements Store. A session whose changes lie in several files is counted once for each, so the
// number is too high until the database has brought them together, which it does by itself.
func (d *Disk) Sessions() int64 {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.db == nil {
		return 0
	}
	levels, err := d.db.SSTables(pebble.WithProperties())
	if err != nil {
		return 0
	}
	others := d.otherKeys()
	sessions := d.flushing.pending.Load()
	for _, tables := range levels {
		for _, table := range tables {
			sessions += sessionsIn(table, others)
		}
	}
	return sessions
}

// otherKeys are the keys that are no session's.
func (d *Disk) otherKeys() [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	keys := [][]byte{{identitySpace}}
	for partition := range d.checkpoints {
		keys = append(keys, appendCheckpointKey(nil, d.layout, partition))
	}
	return keys
}

// sessionsIn is how many sessions a file has. Each commit writes checkpoints, so where the topic is quiet most files
// have nothing else. They are set, while a session is merged, until all that is known of it lies in one place.
func sessionsIn(table pebble.SSTableInfo, others [][]byte) int64 {
	live := int64(table.Properties.NumEntries) - int64(table.Properties.NumDeletions)
	set := live - int64(table.Properties.NumMergeOperands)
	var notSessions int64
	for _, key := range others {
		if bytes.Compare(key, table.Smallest.UserKey) >= 0 && bytes.Compare(key, table.Largest.UserKey) <= 0 {
			notSessions++
		}
	}
	return live - min(notSessions, set)
}

// Size implements Store. What was set aside is not in it.
func (d *Disk) Size() int64 {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.db == nil {
		return 0
	}
	return int64(d.db.Metrics().DiskSpaceUsage())
}

// Healthy implements Store. A disk that was full a moment ago may be called so for another second.
func (d *Disk) Healthy() error {
	d.life.RLock()
	defer d.life.RUnlock()
	if d.db == nil {
		return nil
	}
	return d.writable(0)
}

// Close implements Store. When what was committed cannot be written to the files, for example because the disk
// is full, it says so; the next start then reads that from the topic again. A second Close does nothing.
func (d *Disk) Close() error {
	// A commit may wait for room on the disk, holding life.
	if disk := d.disk.Load(); disk != nil {
		disk.end()
	}
	d.life.Lock()
	defer d.life.Unlock()
	if d.lock == nil {
		return nil
	}
	var err error
	if d.db != nil {
		err = d.closeDB()
	}
	err = errors.Join(err, d.lock.Close())
	d.lock = nil
	if err != nil {
		return fmt.Errorf("close the click table in %s: %w", d.config.Dir, err)
	}
	return nil
}
