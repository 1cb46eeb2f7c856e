package sessions

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diskFiles are the files and directories of a Disk. All their names begin alike; nothing else in the directory
// is touched.
type diskFiles struct {
	fs  vfs.FS
	dir string
}

func (f diskFiles) path(suffix string) string { return f.fs.PathJoin(f.dir, "click-table"+suffix) }

func (f diskFiles) database() string { return f.path("") }
func (f diskFiles) aside() string    { return f.path(".set-aside") }
func (f diskFiles) runs() string     { return f.path(".runs") }
func (f diskFiles) marker() string   { return f.path(".damaged") }

// hold makes the directory and takes its lock.
func (f diskFiles) hold() (io.Closer, error) {
	if err := f.fs.MkdirAll(f.dir, 0o750); err != nil {
		return nil, cannotWrite(f.dir, err)
	}
	lock, err := f.fs.Lock(f.path(".lock"))
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, syscall.EAGAIN), !fromSystem(err):
		return nil, fmt.Errorf("the click table's directory %s is in use by another process: stop that, or give each its own directory: %w", f.dir, err)
	default:
		return nil, cannotWrite(f.dir, err)
	}
}

// exists reports whether there is something at a path.
func (f diskFiles) exists(path string) (bool, error) {
	_, err := f.fs.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// setAside moves the database out of the way, over what was set aside before, and then forgets the marker: in
// this order, so that a crash between the two only sets aside an empty database.
func (f diskFiles) setAside() error {
	if err := f.fs.RemoveAll(f.aside()); err != nil {
		return err
	}
	if err := f.fs.Rename(f.database(), f.aside()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := f.sync(); err != nil {
		return err
	}
	return f.unmark()
}

// mark notes for the next Begin that the database is damaged.
func (f diskFiles) mark(reason string) error {
	file, err := f.fs.Create(f.marker(), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write([]byte(reason + "\n"))
	return errors.Join(err, file.Sync(), file.Close(), f.sync())
}

func (f diskFiles) unmark() error {
	if err := f.fs.Remove(f.marker()); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return f.sync()
}

// clearRuns removes what commits left behind when the process ended in their middle.
func (f diskFiles) clearRuns() error {
	if err := f.fs.RemoveAll(f.runs()); err != nil {
		return err
	}
	return f.fs.MkdirAll(f.runs(), 0o750)
}

// sync makes what was renamed and removed in the directory durable.
func (f diskFiles) sync() error {
	dir, err := f.fs.OpenDir(f.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// fromSystem reports whether an error came from the operating system, and not from what a file holds.
func fromSystem(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno)
}
