package capture

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// shelf is a spool in memory without anything around it.
type shelf struct {
	*spool
	t     testing.TB
	files *memoryFiles
	log   *buffer
}

func openShelf(t testing.TB, files *memoryFiles, maxBytes int64) *shelf {
	t.Helper()
	log := &buffer{}
	logger := slog.New(slog.NewTextHandler(log, nil))
	s, err := openSpool(files, maxBytes, newMetrics(), newTroubles(logger), logger)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.close() })
	return &shelf{s, t, files, log}
}

// nth is a record that can be told from others.
func nth(n int) record {
	return record{put, fmt.Sprintf("s-%04d", n), clickA, time.UnixMilli(1_700_000_000_000 + int64(n)).UTC()}
}

// put appends records as one group and returns what those who wait are told.
func (s *shelf) put(records ...record) error {
	var group []*entry
	for _, r := range records {
		e := newEntry(r)
		require.True(s.t, s.reserve(len(e.frame)))
		group = append(group, e)
	}
	s.append(group)
	return group[0].durable(s.t.Context())
}

// rest reads and acknowledges all there is.
func (s *shelf) rest() (records []record) {
	s.t.Helper()
	s.finish()
	for {
		b, ok := s.read(s.t.Context())
		if !ok {
			return records
		}
		records = append(records, b.records...)
		require.NoError(s.t, s.acknowledge(b))
	}
}

// again closes the spool and opens what it left.
func (s *shelf) again() *shelf {
	s.t.Helper()
	require.NoError(s.t, s.close())
	return openShelf(s.t, s.files, s.maxBytes)
}

func numbered(from, to int) (records []record) {
	for n := from; n < to; n++ {
		records = append(records, nth(n))
	}
	return records
}

const enough = SpoolBytesMin

func TestSpoolGivesBackWhatItTookInOrder(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), 64<<20)
	big := strings.Repeat("x", maxSession)
	var all []record
	for n := range 3000 { // several segments, and batches that end in the middle of one
		r := nth(n)
		r.session = big[:maxSession-10] + fmt.Sprint(n)
		all = append(all, r)
	}
	for group := range slices.Chunk(all, 100) {
		require.NoError(t, s.put(group...))
	}
	require.Greater(t, len(s.files.names(t)), 4)
	s = s.again()
	require.Equal(t, 3000, s.state().records)
	require.Equal(t, all, s.rest())
	require.Equal(t, spoolState{maxBytes: 64 << 20}, s.state())
	s = s.again()
	require.Empty(t, s.rest())
	require.NotContains(t, strings.Join(s.files.names(t), " "), segmentSuffix)
}

func TestSpoolGoesOnWhereKafkaAcknowledged(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), enough)
	require.NoError(t, s.put(numbered(0, 5)...))
	b, ok := s.read(t.Context())
	require.True(t, ok)
	require.NoError(t, s.acknowledge(b))
	require.NoError(t, s.put(numbered(5, 9)...))
	s = s.again()
	require.Equal(t, 4, s.state().records)
	require.Equal(t, numbered(5, 9), s.rest())
}

func TestSpoolWithoutAPositionIsReadFromItsBeginning(t *testing.T) {
	t.Parallel()
	at := func(number, offset uint64) []byte {
		data := binary.BigEndian.AppendUint64(nil, number)
		data = binary.BigEndian.AppendUint64(data, offset)
		return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
	}
	// With another number all segments before it would be removed.
	turned := at(1, uint64(len(segmentMagic)))
	turned[7] = 9
	header, frame := uint64(len(segmentMagic)), uint64(len(nth(0).frame()))
	for name, position := range map[string][]byte{
		"Empty": {}, "Torn": []byte("123"), "Wrong": make([]byte, 20), "Turned": turned, "Long": append(at(1, header+frame), 0),
		"InTheMiddleOfARecord": at(1, header+frame+3), "BeyondTheEnd": at(1, 1<<40), "BeforeTheBeginning": at(1, 3), "OfAnEarlierSegment": at(0, header+frame),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openShelf(t, newMemoryFiles(), enough)
			require.NoError(t, s.put(numbered(0, 5)...))
			b, _ := s.read(t.Context())
			require.NoError(t, s.acknowledge(b))
			require.NoError(t, s.put(nth(5)))
			files := &memoryFiles{fs: s.files.fs.CrashClone(vfs.CrashCloneCfg{})}
			require.NoError(t, files.write(positionFile, position))
			require.Equal(t, numbered(0, 6), openShelf(t, files, enough).rest())
		})
	}
}

func TestTornTailIsCutAtTheLastWholeRecord(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), enough)
	require.NoError(t, s.put(numbered(0, 4)...))
	whole, err := s.files.read(s.segments[0].file())
	require.NoError(t, err)
	frame := len(nth(0).frame())
	halfWritten := nth(50).frame()
	halfWritten[frame-1] ^= 1
	for cut := range len(whole) + 1 {
		for name, tail := range map[string][]byte{"Nothing": nil, "Zeros": make([]byte, 64), "Noise": []byte(strings.Repeat("\xff\x00\x10", 30)), "WrongSum": halfWritten} {
			files := newMemoryFiles()
			_, err := files.lock()
			require.NoError(t, err)
			files.fs = files.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
			require.NoError(t, files.write((&segment{number: 7}).file(), append(slices.Clone(whole[:cut]), tail...)))
			after := openShelf(t, files, enough)
			n := max(0, cut-len(segmentMagic)) / frame
			require.EqualValues(t, n*frame, after.state().bytes, "what is cut off takes no room")
			require.NoError(t, after.put(nth(100)), "it goes on")
			if cut >= len(segmentMagic) {
				after = after.again() // now it is not the last any more
			}
			require.Equal(t, append(numbered(0, n), nth(100)), after.rest(), "cut at %d, then %s", cut, name)
			after.seal()
			require.Zero(t, after.state().bytes, "all room is free again: cut at %d, then %s", cut, name)
			if (cut-len(segmentMagic))%frame == 0 || tail == nil && cut >= len(segmentMagic) {
				require.NotContains(t, after.log.String(), "set aside", "nothing is lost: cut at %d, then %s", cut, name)
			}
		}
	}
}

// Any byte that turns costs the record that it is in, or, where it is a length, those behind it in the same file. It
// never makes a record that was not there, and it is said.
func TestDamageIsSetAsideAndSaid(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), enough)
	require.NoError(t, s.put(numbered(0, 4)...))
	damagedFile := s.segments[0].file()
	s = s.again() // so that there is another segment behind
	require.NoError(t, s.put(nth(4)))
	whole, err := s.files.read(damagedFile)
	require.NoError(t, err)
	require.NoError(t, s.close())
	frame := len(nth(0).frame())
	for at := range whole {
		files := &memoryFiles{fs: s.files.fs.CrashClone(vfs.CrashCloneCfg{})}
		turned := slices.Clone(whole)
		turned[at] ^= 0x81
		require.NoError(t, files.write(damagedFile, turned))
		after := openShelf(t, files, enough)
		got := after.rest()
		require.Equal(t, nth(4), got[len(got)-1], "what lies behind is read; byte %d", at)
		if in := at - len(segmentMagic); in < 0 {
			require.Len(t, got, 1)
		} else {
			bad := in / frame
			require.Equal(t, numbered(0, 4)[:bad], got[:bad])
			if in%frame >= 4 {
				require.Equal(t, append(numbered(bad+1, 4), nth(4)), got[bad:], "byte %d", at)
			}
		}
		require.Contains(t, after.log.String(), "set aside")
		require.Positive(t, after.lost(lostDamaged))
		require.Contains(t, files.names(t), damagedFile+".damaged")
		require.NotContains(t, after.log.String(), clickA)
	}
}

// Copies of the file system are taken between any two operations, with what was synced, all that was written, and
// something between.
func TestCrashLosesNothingThatWasPromised(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	files := newMemoryFiles()
	s := openShelf(t, files, 64<<20)
	type crash struct {
		fs                     *vfs.MemFS
		promised, acknowledged int
	}
	var mu sync.Mutex
	var crashes []crash
	promised, acknowledged := 0, 0
	files.before = func(string) error {
		mu.Lock()
		defer mu.Unlock()
		if len(crashes) < 400 && random.IntN(3) == 0 {
			config := vfs.CrashCloneCfg{UnsyncedDataPercent: []int{0, 50, 100}[random.IntN(3)], RNG: random}
			crashes = append(crashes, crash{files.fs.CrashClone(config), promised, acknowledged})
		}
		return nil
	}
	next := 0
	for round := range 150 {
		count := 1 + random.IntN(5)
		require.NoError(t, s.put(numbered(next, next+count)...))
		next += count
		mu.Lock()
		promised = next
		mu.Unlock()
		if round%3 == 1 {
			b, ok := s.read(t.Context())
			require.True(t, ok)
			require.NoError(t, s.acknowledge(b))
			mu.Lock()
			acknowledged += len(b.records)
			mu.Unlock()
		}
		if round%10 == 9 {
			s.seal()
		}
	}
	files.before = nil
	require.Greater(t, len(crashes), 100)
	skipped := 0
	for i, c := range crashes {
		after := openShelf(t, &memoryFiles{fs: c.fs}, 64<<20)
		got := after.rest()
		first := c.promised
		if len(got) > 0 {
			first = int(got[0].at.UnixMilli() - nth(0).at.UnixMilli())
			require.Equal(t, numbered(first, first+len(got)), got, "crash %d: a piece without holes", i)
		}
		require.LessOrEqual(t, first, c.acknowledged+5*3+5, "crash %d", i)
		require.GreaterOrEqual(t, first+len(got), c.promised, "crash %d: what was promised is there", i)
		require.NotContains(t, after.log.String(), "set aside")
		if first > 0 {
			skipped++
		}
		require.NoError(t, after.close())
	}
	require.Greater(t, skipped, 20, "no crash kept a position: this proves little")
}

func TestDiskThatFailsDoesNotStopTheClicks(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{"create", "write", "sync", "sync directory"} {
		t.Run(strings.ReplaceAll(broken, " ", ""), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				files := newMemoryFiles()
				s := openShelf(t, files, enough)
				require.NoError(t, s.put(nth(0)))
				s.seal() // so that a file is needed
				files.before = func(operation string) error {
					if operation == broken {
						return errors.New("no disk")
					}
					return nil
				}
				require.ErrorIs(t, s.put(nth(1)), errMemory, "whoever waits is told")
				require.ErrorIs(t, s.put(nth(2)), errMemory)
				require.ErrorContains(t, s.troubles.list()[2].Err, "no disk")
				require.Equal(t, "spool", s.troubles.list()[2].Name)
				files.before = nil
				require.ErrorIs(t, s.put(nth(3)), errMemory, "the disk is left alone for a moment")
				time.Sleep(diskAgain)
				require.NoError(t, s.put(nth(4)))
				require.NoError(t, s.troubles.list()[2].Err)
				for i := range s.segments[1:] {
					require.Less(t, s.segments[i].number, s.segments[i+1].number, "a crash must not take one for the other")
				}
				require.Equal(t, numbered(0, 5), s.rest())
				s.seal()
				require.Zero(t, s.state().bytes)
				require.Zero(t, s.inMemory)
				require.NotContains(t, strings.Join(files.names(t), " "), segmentSuffix, "nor is a file left that was not finished")
			})
		})
	}
}

// What a write that failed has left on disk comes back after a crash, if at all, before what came later.
func TestWriteThatFailedDoesNotComeBackOutOfOrder(t *testing.T) {
	t.Parallel()
	erase := record{erasure, nth(1).session, "", nth(2).at}
	for broken, left := range map[string][]record{"write": {nth(0), nth(1), erase}, "sync": {nth(0), nth(1), nth(1), erase}} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			files := newMemoryFiles()
			s := openShelf(t, files, enough)
			require.NoError(t, s.put(nth(0)))
			failures := 0
			files.before = func(operation string) error {
				if operation == broken && failures == 0 {
					failures++
					return errors.New("no disk")
				}
				return nil
			}
			require.NoError(t, s.put(nth(1)), "in a new file")
			require.NoError(t, s.put(erase))
			files.before = nil
			crash := files.fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 1))})
			require.Equal(t, left, openShelf(t, &memoryFiles{fs: crash}, enough).rest())
			require.Equal(t, []record{nth(0), nth(1), erase}, s.rest(), "without a crash")
		})
	}
}

func TestMemoryIsBoundedWhileTheDiskFails(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	s := openShelf(t, files, 64<<20)
	files.before = func(string) error { return errors.New("no disk") }
	for n := 0; s.inMemory+200_000 < memoryBytes; n += 1000 {
		require.ErrorIs(t, s.put(numbered(n, n+1000)...), errMemory)
	}
	held := s.state()
	require.ErrorIs(t, s.put(numbered(0, 4000)...), errQueue)
	require.Equal(t, held, s.state(), "what was not taken takes no room")
	require.Equal(t, 4000.0, s.lost(lostQueue))
	files.before = nil
	require.NoError(t, s.close())
	require.Contains(t, s.log.String(), "are lost with the process")
	require.EqualValues(t, held.records, s.lost(lostStopped))
}

// lost is how many records that metric counts.
func (s *shelf) lost(reason loss) float64 { return s.counted(s.metrics.lost[reason]) }

func (s *shelf) counted(counter prometheus.Counter) float64 {
	s.t.Helper()
	registry := prometheus.NewPedanticRegistry()
	require.NoError(s.t, registry.Register(counter))
	families, err := registry.Gather()
	require.NoError(s.t, err)
	return families[0].GetMetric()[0].GetCounter().GetValue()
}

// Kafka has taken what the disk did not: there is room for more at once.
func TestMemoryIsGivenBackWhenKafkaHasIt(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	s := openShelf(t, files, enough)
	files.before = func(operation string) error {
		if operation == "write" {
			return errors.New("no disk")
		}
		return nil
	}
	require.ErrorIs(t, s.put(numbered(0, 3)...), errMemory)
	require.Equal(t, 3.0, s.counted(s.metrics.unspooled))
	require.Equal(t, numbered(0, 3), s.rest())
	require.Zero(t, s.inMemory)
	require.Zero(t, s.state().bytes)
}

// However many come: since the first that waits, or since Kafka took the latest.
func TestStuckIsSinceTheFirstThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, newMemoryFiles(), enough)
		first := time.Now()
		require.NoError(t, s.put(nth(0)))
		time.Sleep(time.Minute)
		require.NoError(t, s.put(nth(1)))
		require.Equal(t, first, s.state().since)
		b, ok := s.read(t.Context())
		require.True(t, ok)
		require.NoError(t, s.put(nth(2)))
		time.Sleep(time.Minute)
		require.NoError(t, s.acknowledge(b))
		require.Equal(t, time.Now(), s.state().since, "Kafka has taken some")
		time.Sleep(time.Minute)
		s = s.again()
		require.Equal(t, time.Now(), s.state().since, "of an earlier run nobody knows since when")
		s.rest()
		require.Zero(t, s.state().since)
	})
}

// A stop in good order notes how far Kafka is, also for a machine that is switched off right after it.
func TestStopLeavesNothingToProduceAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files := newMemoryFiles()
		s := openShelf(t, files, enough)
		require.NoError(t, s.put(numbered(0, 3)...))
		b, ok := s.read(t.Context())
		require.True(t, ok)
		require.NoError(t, s.acknowledge(b))
		require.NoError(t, s.put(nth(3)))
		require.NoError(t, s.close())
		crash := &memoryFiles{fs: files.fs.CrashClone(vfs.CrashCloneCfg{})}
		require.Equal(t, []record{nth(3)}, openShelf(t, crash, enough).rest())
	})
}

func TestFullSpoolRefusesUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), enough)
	n := 0
	for ; s.taken.Load()+int64(1000*len(nth(0).frame())) <= enough; n += 1000 {
		require.NoError(t, s.put(numbered(n, n+1000)...))
	}
	require.False(t, s.reserve(1000*len(nth(0).frame())))
	s = s.again()
	_ = s.lose(lostRoom, 1, errRoom)
	require.False(t, s.reserve(1000*len(nth(0).frame())), "nor after a restart")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for s.taken.Load() > enough/2 {
		b, ok := s.read(ctx)
		require.True(t, ok)
		require.NoError(t, s.acknowledge(b))
	}
	require.NoError(t, s.troubles.list()[3].Err, "there is room")
	require.NoError(t, s.put(nth(n)))
	rest := s.rest()
	require.Equal(t, nth(n), rest[len(rest)-1])
}

func TestSegmentThatCannotBeReadDoesNotBlockTheOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		files := newMemoryFiles()
		s := openShelf(t, files, enough)
		require.NoError(t, s.put(nth(0)))
		s.seal()
		require.NoError(t, s.put(nth(1)))
		failures := 0
		files.before = func(operation string) error {
			if operation == "read" && s.lost(lostDamaged) == 0 {
				failures++
				return errors.New("bad sector")
			}
			return nil
		}
		began := time.Now()
		require.Equal(t, []record{nth(1)}, s.rest())
		require.Equal(t, readTries, failures)
		require.Equal(t, readTries*readAgain, time.Since(began))
		require.Equal(t, 1.0, s.lost(lostDamaged))
		require.Contains(t, s.log.String(), "set aside")
	})
}

// Waiting does not bring back a file that somebody has removed.
func TestSegmentThatIsGoneIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := openShelf(t, newMemoryFiles(), enough)
		require.NoError(t, s.put(nth(0)))
		s.seal()
		require.NoError(t, s.put(nth(1)))
		require.NoError(t, s.files.remove(s.segments[0].file()))
		began := time.Now()
		require.Equal(t, []record{nth(1)}, s.rest())
		require.Equal(t, began, time.Now())
		require.Equal(t, 1.0, s.lost(lostDamaged))
	})
}

// What Kafka has is not produced again because a crash came before its file was removed.
func TestSegmentThatKafkaHasIsRemovedAtTheStart(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	s := openShelf(t, files, enough)
	require.NoError(t, s.put(nth(0)))
	first := s.segments[0].file()
	content, err := files.read(first)
	require.NoError(t, err)
	s.seal()
	require.NoError(t, s.put(nth(1)))
	b, ok := s.read(t.Context())
	require.True(t, ok)
	require.NoError(t, s.acknowledge(b))
	require.NoError(t, s.close())
	require.NoError(t, files.write(first, content))
	s = openShelf(t, files, enough)
	require.NotContains(t, files.names(t), first)
	require.Equal(t, []record{nth(1)}, s.rest())
}

// Only the last file may end in what a crash has torn.
func TestSegmentWithoutABeginningIsDamage(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), enough)
	require.NoError(t, s.put(nth(0)))
	first := s.segments[0].file()
	s.seal()
	require.NoError(t, s.put(nth(1)))
	require.NoError(t, s.close())
	require.NoError(t, s.files.write(first, []byte(segmentMagic[:3])))
	after := openShelf(t, s.files, enough)
	require.Equal(t, []record{nth(1)}, after.rest())
	require.Equal(t, 1.0, after.lost(lostDamaged))
	require.Contains(t, s.files.names(t), first+".damaged")
}

// What is no segment stays where it is, whoever put it there.
func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	s := openShelf(t, files, enough)
	require.NoError(t, s.put(nth(0)))
	others := []string{"7.clicks", "notes.clicks", (&segment{number: 9}).file() + ".damaged", "notes.txt"}
	for _, name := range others {
		require.NoError(t, files.write(name, []byte("notes")))
	}
	s = s.again()
	require.Equal(t, []record{nth(0)}, s.rest())
	require.Subset(t, files.names(t), others)
}

// A start that failed can be made again without a new process.
func TestSpoolThatCannotBeOpenedIsGivenUp(t *testing.T) {
	t.Parallel()
	files := newMemoryFiles()
	openShelf(t, files, enough).spool.close()
	for _, broken := range []string{"create", "sync"} {
		files.before = func(operation string) error {
			if operation == broken {
				return errors.New("no disk")
			}
			return nil
		}
		log := slog.New(slog.DiscardHandler)
		_, err := openSpool(files, enough, newMetrics(), newTroubles(log), log)
		require.ErrorContains(t, err, "no disk")
		files.before = nil
		require.NoError(t, openShelf(t, files, enough).close())
	}
}

// Neither the memory nor what Kafka is sent at once grows with the spool.
func TestWhatIsReadAtOnceIsBounded(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), enough)
	require.NoError(t, s.put(numbered(0, 5000)...))
	b, ok := s.read(t.Context())
	require.True(t, ok)
	frame := len(nth(0).frame())
	require.Len(t, b.records, batchBytes/frame)
	require.Less(t, len(b.records), 5000)
}

func TestSpoolIsForOneProcess(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := New(b.config)
	require.ErrorContains(t, err, "in use by another process")
	require.ErrorContains(t, err, b.config.Spool.Dir)
}

func FuzzFrames(f *testing.F) {
	f.Add(nth(1).frame())
	f.Add(append(nth(1).frame(), record{erasure, "s", "", nth(2).at}.frame()...))
	f.Add([]byte("\x00\x00\x00\x0b\x00\x00\x00\x00\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		records, read, _ := parseFrames(data)
		require.LessOrEqual(t, read, len(data))
		for _, r := range records {
			parsed, ok := parseFrame(r.frame())
			require.True(t, ok)
			require.Equal(t, r, parsed)
		}
		size, count := wholeFrames(data)
		require.Equal(t, len(records), count)
		require.LessOrEqual(t, size, read)
	})
}
