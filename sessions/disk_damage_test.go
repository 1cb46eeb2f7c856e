package sessions

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

// workedTopic is a file system with a closed store in it that has files of every kind.
func workedTopic(t *testing.T, layout Layout) *vfs.MemFS {
	fs := crashable(t)
	workTheTopic(t, fs, layout, 2)
	return fs
}

// damages are ways in which a file of this length may be found.
func damages(length int) map[string]func(data []byte) []byte {
	ways := map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"half":      func(data []byte) []byte { return data[:len(data)/2] },
		"one short": func(data []byte) []byte { return data[:len(data)-1] },
		"longer":    func(data []byte) []byte { return append(data, "more"...) },
		"zeros": func(data []byte) []byte {
			clear(data[len(data)/2:])
			return data
		},
	}
	for at := 0; at < length; at += max(1, length/24) {
		ways[fmt.Sprintf("bit of byte %d", at)] = func(data []byte) []byte {
			data[at] ^= 1 << (at % 8)
			return data
		}
	}
	return ways
}

// TestDamagedFilesGiveNoWrongHistory damages every file in turn. A store may then be set aside, or say that it
// is damaged; where it answers, the answer is that of its checkpoints.
func TestDamagedFilesGiveNoWrongHistory(t *testing.T) {
	t.Parallel()
	for _, layout := range []Layout{Global, Copartitioned} {
		fs := workedTopic(t, layout)
		eachFile(t, fs, testDir, func(path string, data []byte) {
			t.Run(string(layout)+"/"+fs.PathBase(path), func(t *testing.T) {
				t.Parallel()
				for name, damage := range damages(len(data)) {
					if len(data) == 0 && name != "longer" {
						continue
					}
					t.Log(name)
					damagedFS := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
					replace(t, damagedFS, path, damage(slices.Clone(data)))
					requireNoWrongHistory(t, damagedFS, layout)
				}
				gone := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(0, 0))})
				require.NoError(t, gone.Remove(path))
				requireNoWrongHistory(t, gone, layout)
			})
		})
	}
}

func requireNoWrongHistory(t *testing.T, fs vfs.FS, layout Layout) {
	t.Helper()
	disk := opened(t, fs, layout)
	want := upTo(t, disk, layout, 2)
	found := false
	for p := range int32(2) {
		for _, session := range someSessions {
			history, err := disk.History(p, session)
			if err != nil {
				require.ErrorIs(t, err, ErrDamaged)
				found = true
				continue
			}
			expected, _ := want.History(p, session)
			require.Equal(t, plain(expected), plain(history), "partition %d, session %s", p, session)
		}
	}
	if found {
		require.ErrorIs(t, disk.Healthy(), ErrDamaged)
		require.ErrorIs(t, disk.NewBatch().Commit(map[int32]Checkpoint{0: {Next: 1}}), ErrDamaged)
	}
	// The database's own work may come across the damage only now.
	require.NoError(t, disk.Close())
	require.False(t, disk.exited.Load(), "the process would end")
	again := opened(t, fs, layout)
	if found {
		require.Contains(t, again.log.String(), "set aside")
		require.Zero(t, again.Checkpoint(0))
	}
	require.NoError(t, again.Healthy())
	require.NoError(t, again.Close())
	for _, log := range []string{disk.log.String(), again.log.String()} {
		require.NotContains(t, log, "anna@example.com")
		require.NotContains(t, log, "detail carrier")
	}
}

func TestKeysAreNotShown(t *testing.T) {
	t.Parallel()
	key := appendSessionKey(nil, Global, 0, "anna@example.com")
	require.Equal(t, "(key of 18 bytes)", fmt.Sprintf("%s", diskComparer().FormatKey(key)))
}

// replace writes a file anew.
func replace(t *testing.T, fs vfs.FS, path string, data []byte) {
	t.Helper()
	file, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	_, err = file.Write(data)
	require.NoError(t, err)
	require.NoError(t, errors.Join(file.Sync(), file.Close()))
}

func TestDamageFoundWhileRunningIsNotedForTheNextStart(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	disk := opened(t, fs, Global)
	disk.commit(t, 0, 7, clicked("s", "fine"))
	// As if a file had lost what was in it, in a way no checksum shows.
	require.NoError(t, disk.db.Merge(appendSessionKey(nil, Global, 0, "broken"), []byte{9, 9, 9}, pebble.NoSync))
	disk.requireClicks(t, 0, "s", "fine")
	_, err := disk.History(0, "broken")
	require.ErrorIs(t, err, ErrDamaged)
	require.Contains(t, err.Error(), testDir)
	_, err = disk.History(0, "s")
	require.ErrorIs(t, err, ErrDamaged, "nothing is trusted any more")
	require.ErrorIs(t, disk.Healthy(), ErrDamaged)
	require.ErrorIs(t, disk.Drop(0), ErrDamaged)
	require.NoError(t, disk.Close())

	again := opened(t, fs, Global)
	require.Zero(t, again.Checkpoint(0))
	require.Contains(t, again.log.String(), "found to be damaged")
	require.NoError(t, again.Healthy())
	again.requireClicks(t, 0, "s")
	again.commit(t, 0, 7, clicked("s", "fine"))
	require.NoError(t, again.Close())

	third := opened(t, fs, Global)
	third.requireClicks(t, 0, "s", "fine")
	require.NoError(t, third.Close())
}

func TestDamageIsFoundByTheDatabasesOwnWork(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	disk := opened(t, fs, Global)
	key := appendSessionKey(nil, Global, 0, "s")
	for _, value := range [][]byte{{9, 9, 9}, {8, 8, 8}} {
		require.NoError(t, disk.db.Merge(key, value, pebble.NoSync))
		disk.flushing.dirty.Store(true)
		require.NoError(t, disk.flush())
	}
	ctx, cancel := context.WithCancel(t.Context())
	var compacting sync.WaitGroup
	compacting.Go(func() {
		if err := disk.db.Compact(ctx, []byte{0}, []byte{255}, false); err == nil {
			t.Error("damaged values were brought together")
		}
	})
	require.Eventually(t, func() bool { return errors.Is(disk.Healthy(), ErrDamaged) }, long, time.Millisecond)
	cancel()
	compacting.Wait()
	// The database would try it again and again.
	var working sync.WaitGroup
	working.Go(func() {
		if _, err := disk.disk.Load().Create(disk.files.database()+"/another.sst", vfs.WriteCategoryUnspecified); !errors.Is(err, errFrozen) {
			t.Errorf("damaged files are worked on: %v", err)
		}
	})
	defer working.Wait()
	require.NoError(t, disk.Close())
	again := opened(t, fs, Global)
	require.Contains(t, again.log.String(), "set aside")
	require.NoError(t, again.Close())
}

func TestBeginSetsAsideWhatItDoesNotTrust(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil  func(t *testing.T, fs vfs.FS, disk *Disk)
		origin Origin
		reason string
	}{
		"AnotherTopic": {nil, Origin{TopicID: [16]byte{9}, Layout: Global}, "another topic"},
		"OtherLayout":  {nil, here(Copartitioned), "another join mode"},
		"OtherVersion": {func(t *testing.T, _ vfs.FS, disk *Disk) {
			require.NoError(t, disk.db.Set([]byte{identitySpace}, []byte("cjrelay click table 0 "), pebble.NoSync))
		}, here(Global), "another version"},
		"NotFinished": {func(t *testing.T, _ vfs.FS, disk *Disk) {
			require.NoError(t, disk.db.Delete([]byte{identitySpace}, pebble.NoSync))
		}, here(Global), "not finished"},
		"StrangeKey": {func(t *testing.T, _ vfs.FS, disk *Disk) {
			require.NoError(t, disk.db.Set([]byte{dataSpace, checkpointTag, 1, 2}, nil, pebble.NoSync))
		}, here(Global), "a checkpoint under a key"},
		"StrangeCheckpoint": {func(t *testing.T, _ vfs.FS, disk *Disk) {
			require.NoError(t, disk.db.Set(appendCheckpointKey(nil, Global, 3), []byte{1}, pebble.NoSync))
		}, here(Global), "not what was written"},
		"Marker": {func(t *testing.T, fs vfs.FS, _ *Disk) {
			replace(t, fs, testDir+"/click-table.damaged", nil)
		}, here(Global), "found to be damaged"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fs := vfs.NewMem()
			require.NoError(t, fs.MkdirAll(testDir+"/notours", 0o750))
			replace(t, fs, testDir+"/click-tables.txt", []byte("not ours either"))
			disk := opened(t, fs, Global)
			disk.commit(t, 0, 7, clicked("s", "ErasedLater"))
			if test.spoil != nil {
				test.spoil(t, fs, disk.Disk)
			}
			require.NoError(t, disk.Close())

			again := held(t, fs, testDir)
			require.NoError(t, again.Begin(test.origin))
			require.Contains(t, again.log.String(), test.reason)
			require.Zero(t, again.Checkpoint(0))
			again.requireClicks(t, 0, "s")
			require.True(t, inFiles(t, fs, testDir, []byte("ErasedLater")), "it is kept to be looked at")
			again.commit(t, 0, 1, clicked("s", "x"))
			require.NoError(t, again.Close())

			third := held(t, fs, testDir)
			require.NoError(t, third.Begin(test.origin))
			third.requireClicks(t, 0, "s", "x")
			require.NotContains(t, third.log.String(), "set aside")
			require.NoError(t, third.Close())
			require.False(t, inFiles(t, fs, testDir, []byte("ErasedLater")), "it outlived its use")
			names, err := fs.List(testDir)
			require.NoError(t, err)
			slices.Sort(names)
			require.Equal(t, "click-table click-table.lock click-table.runs click-tables.txt notours", strings.Join(names, " "))
		})
	}
}

func TestAnOlderMergerIsSetAside(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	disk := opened(t, fs, Global)
	require.NoError(t, disk.Close())
	merger := *diskMerger
	merger.Name = "cjrelay.clicks.0"
	options := disk.options.Clone()
	options.Merger = &merger
	require.NoError(t, fs.RemoveAll(disk.files.database()))
	db, err := pebble.Open(disk.files.database(), options)
	require.NoError(t, err)
	require.NoError(t, db.Close())
	again := opened(t, fs, Global)
	require.Contains(t, again.log.String(), "set aside")
	require.NoError(t, again.Close())
}

func TestBeginRemovesWhatCommitsLeftBehind(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	disk := opened(t, fs, Global)
	disk.bulk = 0
	disk.commit(t, 0, 1, clicked("s", "x"))
	require.NoError(t, disk.Close())
	replace(t, fs, disk.files.runs()+"/7.sst", []byte("half a file"))
	again := opened(t, fs, Global)
	again.requireClicks(t, 0, "s", "x")
	names, err := fs.List(again.files.runs())
	require.NoError(t, err)
	require.Empty(t, names)
	require.NoError(t, again.Close())
}
