package sessions

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diskReserve is the free space below which nothing more is committed. The database needs some to bring its
// files together, and to note what it did.
const diskReserve = 64 << 20

// writePause waits before a failed write is tried again.
func writePause(closed <-chan struct{}) {
	select {
	case <-closed:
	case <-time.After(time.Second):
	}
}

// cannotWrite says why a directory cannot be written and what to do.
func cannotWrite(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("the disk of the click table's directory %s is full: make room there, about 100 bytes a session in all: %w", dir, err)
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("the click table's directory %s is on a read-only file system: mount it writable, or use another directory: %w", dir, err)
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return fmt.Errorf("the click table's directory %s may not be written by this user: change its owner or mode, or use another directory: %w", dir, err)
	default:
		return fmt.Errorf("the click table's directory %s cannot be written: %w", dir, err)
	}
}

// passes reports whether an error of a write may go away without anything being lost: writing again is safe.
func passes(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS)
}

// patientFS is the file system as the database sees it. The database tries a failed write again at once and for
// ever, with all of a processor, and gives up altogether when it cannot write to its manifest. So while the disk
// is full the writes of its background work wait here, and Healthy and Commit say why.
type patientFS struct {
	vfs.FS
	dir string
	log *slog.Logger
	// pause waits before the next try.
	pause func(closed <-chan struct{})

	trouble atomic.Pointer[error]
	// frozen: no new file is begun any more.
	frozen atomic.Bool

	mu     sync.Mutex // guards closed
	closed chan struct{}
}

// begin makes writes wait from now on, until end.
func (p *patientFS) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = make(chan struct{})
}

// end lets the writes that wait fail, and all others that fail.
func (p *patientFS) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed == nil {
		return
	}
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
}

// open is what end closes, nil before begin: then writes do not wait.
func (p *patientFS) open() chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// troubled is why the latest write failed, nil when it did not.
func (p *patientFS) troubled() error {
	if err := p.trouble.Load(); err != nil {
		return *err
	}
	return nil
}

// well notes that writes succeed again.
func (p *patientFS) well() {
	if p.trouble.Load() != nil && p.trouble.Swap(nil) != nil {
		p.log.Info("the click table can be written again", "dir", p.dir)
	}
}

// again notes a failed write, waits, and reports whether to try it again.
func (p *patientFS) again(err error) bool {
	said := cannotWrite(p.dir, err)
	if p.trouble.Swap(&said) == nil {
		p.log.Error("the click table cannot be written", "error", said)
	}
	closed := p.open()
	if closed == nil {
		return false
	}
	p.pause(closed)
	select {
	case <-closed:
		return false
	default:
		return passes(err)
	}
}

// errFrozen is what a file gets that was to be made of damaged ones.
var errFrozen = errors.New("the click table is damaged and is not written any more")

// freeze makes all work on the files wait for the end, where writes wait at all. The database would go on to
// bring damaged files together without end.
func (p *patientFS) freeze() { p.frozen.Store(true) }

// Create implements vfs.FS.
func (p *patientFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if closed := p.open(); closed != nil && p.frozen.Load() {
		<-closed
		return nil, errFrozen
	}
	file, err := p.FS.Create(name, category)
	for failed := false; ; failed = true {
		switch {
		case err != nil && p.again(err):
			file, err = p.FS.Create(name, category)
			continue
		case err != nil:
			return nil, err
		case failed:
			p.well()
		}
		return &patientFile{file, p}, nil
	}
}

// Unwrap implements vfs.FS.
func (p *patientFS) Unwrap() vfs.FS { return p.FS }

type patientFile struct {
	vfs.File
	fs *patientFS
}

// Write implements vfs.File.
func (f *patientFile) Write(data []byte) (int, error) {
	written, failed := 0, false
	for {
		n, err := f.File.Write(data[written:])
		written += n
		switch {
		case err == nil && failed:
			f.fs.well()
			return written, nil
		case err == nil:
			return written, nil
		case !f.fs.again(err):
			return written, err
		}
		failed = true
	}
}

// Sync implements vfs.File. It is not tried again: a file whose Sync failed once has lost what a second one
// would call safe.
func (f *patientFile) Sync() error { return f.noted(f.File.Sync()) }

// SyncData implements vfs.File.
func (f *patientFile) SyncData() error { return f.noted(f.File.SyncData()) }

func (f *patientFile) noted(err error) error {
	if err != nil {
		f.fs.again(err)
	}
	return err
}

// usable is nil when the store is open and sound.
func (d *Disk) usable() error {
	if d.db == nil {
		return errNotBegun
	}
	if damage := d.damage.Load(); damage != nil {
		return damage.err
	}
	return nil
}

// writable is nil when so many bytes more can be written.
func (d *Disk) writable(bytes int) error {
	if err := d.usable(); err != nil {
		return err
	}
	if err := d.disk.Load().troubled(); err != nil {
		return err
	}
	return d.room(bytes)
}

// room is nil when the disk has room for so many bytes more, or does not say how much it has.
func (d *Disk) room(bytes int) error {
	usage, err := d.files.fs.GetDiskUsage(d.config.Dir)
	if errors.Is(err, vfs.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return cannotWrite(d.config.Dir, err)
	}
	if need := uint64(diskReserve + bytes); usage.AvailBytes < need {
		return cannotWrite(d.config.Dir, fmt.Errorf("%w: %d MiB are free, %d needed", syscall.ENOSPC, usage.AvailBytes>>20, need>>20))
	}
	return nil
}
