package capture

import (
	"errors"
	"io"
	"slices"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// memoryFiles are a directory in memory that forgets what was not synced when it crashes.
type memoryFiles struct {
	fs *vfs.MemFS
	// before is called before each operation that changes something; its error is the operation's.
	before func(operation string) error
	mu     sync.Mutex
}

func newMemoryFiles() *memoryFiles { return &memoryFiles{fs: vfs.NewCrashableMem()} }

const memoryDir = "spool"

func (m *memoryFiles) path(name string) string { return m.fs.PathJoin(memoryDir, name) }

func (m *memoryFiles) about(operation string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.before == nil {
		return nil
	}
	return m.before(operation)
}

func (m *memoryFiles) lock() (io.Closer, error) {
	if err := m.fs.MkdirAll(memoryDir, 0o700); err != nil {
		return nil, err
	}
	root, err := m.fs.OpenDir("")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(root.Sync(), root.Close()); err != nil {
		return nil, err
	}
	return m.fs.Lock(m.path("lock"))
}

func (m *memoryFiles) list() ([]string, error) { return m.fs.List(memoryDir) }

func (m *memoryFiles) create(name string) (file, error) {
	if err := m.about("create"); err != nil {
		return nil, err
	}
	f, err := m.fs.Create(m.path(name), vfs.WriteCategoryUnspecified)
	return memoryFile{f, m}, err
}

func (m *memoryFiles) read(name string) ([]byte, error) {
	f, err := m.fs.Open(m.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func (m *memoryFiles) readAt(name string, offset int64, size int) ([]byte, error) {
	if err := m.about("read"); err != nil {
		return nil, err
	}
	f, err := m.fs.Open(m.path(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	n, err := f.ReadAt(data, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:n], err
}

func (m *memoryFiles) truncate(name string, size int64) error {
	data, err := m.read(name)
	if err != nil {
		return err
	}
	return m.write(name, data[:size])
}

// write makes a file with that content, durably.
func (m *memoryFiles) write(name string, data []byte) error {
	f, err := m.fs.Create(m.path(name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = f.Write(slices.Clone(data)) // as in memoryFile.Write
	return errors.Join(err, f.Sync(), f.Close(), m.sync())
}

func (m *memoryFiles) rename(from, to string) error {
	if err := m.about("rename"); err != nil {
		return err
	}
	return m.fs.Rename(m.path(from), m.path(to))
}

func (m *memoryFiles) remove(name string) error {
	if err := m.about("remove"); err != nil {
		return err
	}
	return m.fs.Remove(m.path(name))
}

func (m *memoryFiles) sync() error {
	if err := m.about("sync directory"); err != nil {
		return err
	}
	dir, err := m.fs.OpenDir(memoryDir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// names are the files that are there.
func (m *memoryFiles) names(t testing.TB) []string {
	t.Helper()
	names, err := m.list()
	require.NoError(t, err)
	return names
}

type memoryFile struct {
	vfs.File
	of *memoryFiles
}

func (f memoryFile) Write(data []byte) (int, error) {
	if err := f.of.about("write"); err != nil {
		// Half of it gets there all the same.
		n, _ := f.File.Write(slices.Clone(data[:len(data)/2]))
		return n, err
	}
	// Under the race detector it spoils what it was given.
	return f.File.Write(slices.Clone(data))
}

func (f memoryFile) Sync() error {
	if err := f.of.about("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}
