package sessions

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// childDir is set in the process that a test starts to play the other part of it.
const childDir = "SESSIONS_TEST_CHILD_DIR"

// child makes a process that runs the same test on a directory.
func child(t *testing.T, dir string) *exec.Cmd {
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), childDir+"="+dir)
	return command
}

func TestASecondProcessIsRefused(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(childDir); dir != "" {
		disk, err := OpenDisk(DiskConfig{Dir: dir, Log: slog.New(slog.DiscardHandler)})
		require.NoError(t, err)
		require.NoError(t, disk.Begin(here(Global)))
		fmt.Println("holding")
		_, _ = io.ReadAll(os.Stdin)
		require.NoError(t, disk.Close())
		return
	}
	dir := t.TempDir()
	command := child(t, dir)
	stdin, err := command.StdinPipe()
	require.NoError(t, err)
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "holding\n", line)

	config := DiskConfig{Dir: dir, Log: slog.New(slog.DiscardHandler)}
	_, err = OpenDisk(config)
	require.ErrorContains(t, err, dir+" is in use by another process: stop that, or give each its own directory")
	require.NoError(t, stdin.Close())
	require.NoError(t, command.Wait())
	disk, err := OpenDisk(config)
	require.NoError(t, err)
	_, err = OpenDisk(config)
	require.ErrorContains(t, err, "is in use", "in the same process")
	require.NoError(t, disk.Begin(here(Global)))
	require.NoError(t, disk.Close())
}

// TestADatabaseThatCannotGoOnEndsTheProcess fails a Sync of the manifest, after which Pebble does not know what
// is in it.
func TestADatabaseThatCannotGoOnEndsTheProcess(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv(childDir); dir != "" {
		fs := newTightFS(vfs.Default)
		disk, err := openDisk(DiskConfig{Dir: dir, MemoryBytes: DiskMemoryMin, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}, fs)
		require.NoError(t, err)
		disk.pause = func(<-chan struct{}) {}
		require.NoError(t, disk.Begin(here(Global)))
		fs.fail(func(op errorfs.Op) error {
			if op.Kind == errorfs.OpFileSync && strings.Contains(op.Path, "MANIFEST") {
				return syscall.EIO
			}
			return nil
		})
		disk.bulk = 0
		batch := disk.NewBatch()
		batch.Add(0, []byte("s"), put(at("SecretClickID", 0)))
		t.Errorf("it goes on: %v", batch.Commit(map[int32]Checkpoint{0: {Next: 1}}))
		return
	}
	dir := t.TempDir()
	output, err := child(t, dir).CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(t, err, &exit)
	require.Equal(t, 1, exit.ExitCode())
	require.Contains(t, string(output), "the click table's database cannot go on")
	require.NotContains(t, string(output), "it goes on")
	require.NotContains(t, string(output), "SecretClickID")

	disk := held(t, vfs.Default, dir)
	require.NoError(t, disk.Begin(here(Global)))
	history, err := disk.History(0, "s")
	require.NoError(t, err)
	require.Len(t, history.Clicks, int(disk.Checkpoint(0).Next), "both or none")
	require.NoError(t, disk.Close())
}
