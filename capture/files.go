package capture

import (
	"errors"
	"io"
	"os"
	"path/filepath"
)

// files are the spool's directory. Names have no path.
type files interface {
	// lock makes the directory and takes it for this process, until the result is closed.
	lock() (io.Closer, error)
	list() ([]string, error)
	// create makes an empty file in the place of any of that name.
	create(name string) (file, error)
	// read returns a whole file, readAt some bytes of it. fs.ErrNotExist when there is none.
	read(name string) ([]byte, error)
	readAt(name string, offset int64, size int) ([]byte, error)
	// truncate cuts a file and makes that durable.
	truncate(name string, size int64) error
	rename(from, to string) error
	remove(name string) error
	// sync makes what was created, renamed and removed durable.
	sync() error
}

// file is a file that is written.
type file interface {
	io.Writer
	io.WriterAt
	io.Closer
	Sync() error
}

// replaceFile writes a whole file so that after a crash there is the old one or the new one.
func replaceFile(files files, name string, content []byte) error {
	fresh := name + ".new"
	f, err := files.create(fresh)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := files.rename(fresh, name); err != nil {
		return err
	}
	return files.sync()
}

// osFiles are a directory of the operating system. What it holds is for this process's user alone.
type osFiles struct{ dir string }

func (o osFiles) path(name string) string { return filepath.Join(o.dir, name) }

func (o osFiles) lock() (io.Closer, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(o.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (o osFiles) list() ([]string, error) {
	entries, err := os.ReadDir(o.dir)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names, err
}

func (o osFiles) create(name string) (file, error) {
	return os.OpenFile(o.path(name), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

func (o osFiles) read(name string) ([]byte, error) { return os.ReadFile(o.path(name)) }

func (o osFiles) readAt(name string, offset int64, size int) ([]byte, error) {
	f, err := os.Open(o.path(name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	data := make([]byte, size)
	n, err := f.ReadAt(data, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

func (o osFiles) truncate(name string, size int64) error {
	f, err := os.OpenFile(o.path(name), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Sync(), f.Close())
}

func (o osFiles) rename(from, to string) error { return os.Rename(o.path(from), o.path(to)) }
func (o osFiles) remove(name string) error     { return os.Remove(o.path(name)) }

func (o osFiles) sync() error {
	dir, err := os.Open(o.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
