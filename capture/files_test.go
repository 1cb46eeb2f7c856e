package capture

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the tests' file system in memory does is what the operating system's does.
func TestFilesOfTheOperatingSystem(t *testing.T) {
	t.Parallel()
	files := osFiles{filepath.Join(t.TempDir(), "new", "spool")}
	locked, err := files.lock()
	require.NoError(t, err)
	_, err = files.lock()
	require.Error(t, err, "it is taken")
	require.NoError(t, locked.Close())
	info, err := os.Stat(files.dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm(), "for this user alone")

	f, err := files.create("a")
	require.NoError(t, err)
	_, err = f.Write([]byte("0123456789"))
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("x"), 1)
	require.NoError(t, err)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	data, err := files.readAt("a", 8, 100)
	require.NoError(t, err, "less than asked for is no error")
	require.Equal(t, "89", string(data))
	require.NoError(t, files.truncate("a", 4))
	require.NoError(t, files.rename("a", "b"))
	require.NoError(t, files.sync())
	data, err = files.read("b")
	require.NoError(t, err)
	require.Equal(t, "0x23", string(data))
	names, err := files.list()
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"b", "lock"}, names)
	require.NoError(t, files.remove("b"))
	for _, err := range []error{files.truncate("b", 0), files.remove("b")} {
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	_, err = files.read("b")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = files.readAt("b", 0, 1)
	require.ErrorIs(t, err, fs.ErrNotExist)
}
