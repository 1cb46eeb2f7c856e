package capture

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// segmentBytes is the size from which a segment gets no more. It is also how finely room comes free.
	segmentBytes = 1 << 20
	// memoryBytes bounds what is held while the disk takes nothing.
	memoryBytes = 4 << 20
	// diskAgain is how long a disk that failed is left alone. Each attempt may take long, and holds up the others.
	diskAgain = time.Second
)

// spool keeps records, in order, until Kafka has them. One goroutine appends and one reads; the rest may be called by
// any.
//
// Records lie in segments: files named by a number that grows. A group of records is on disk before those who wait for
// it go on. Where the disk fails, the segment ends there and later groups lie in memory until it works again, so that
// there is one order whatever happens. How far Kafka has acknowledged is noted in a file of its own, without waiting
// for the disk: after a crash some may be produced again, from there on in the same order, and none is left out.
type spool struct {
	files    files
	locked   io.Closer
	maxBytes int64
	metrics  *metrics
	troubles *troubles
	log      *slog.Logger

	// Of the goroutine that appends.
	writing  file // of the last segment; nil when that takes no more
	failedAt time.Time

	// Of the goroutine that reads.
	position     file
	positionSync time.Time

	// appended has a token when there is something new to read.
	appended chan struct{}

	// taken is what segments and queue take of maxBytes. It is apart from the rest since requests must not wait for a
	// lock that is held while files are removed.
	taken atomic.Int64

	mu sync.Mutex
	// segments are the oldest first. The first is the one that is read, from acknowledged on.
	segments     []*segment
	acknowledged int64
	next         uint64
	// records is how many are not acknowledged.
	records int
	since   time.Time
	// inMemory is what segments in memory take.
	inMemory int
	finished bool
	closed   bool
}

// segment is a part of the spool.
type segment struct {
	number uint64
	// size is how many bytes may be read, with the file's header, and records how many records they hold.
	size    int64
	records int
	// taken is what the segment counts for in the spool's room.
	taken int64
	// memory holds the segment when the disk did not take it.
	memory []byte
	// sealed: nothing will be appended.
	sealed  bool
	damaged bool
}

func (s *segment) file() string { return fmt.Sprintf("%020d.clicks", s.number) }

// segmentMagic begins each segment's file and names the form of what follows.
const segmentMagic = "cjspool1"

// reserve takes room for a record, if there is any.
func (s *spool) reserve(size int) bool {
	if s.taken.Add(int64(size)) <= s.maxBytes {
		return true
	}
	s.taken.Add(-int64(size))
	return false
}

// lose counts records that did not get on. It returns err.
func (s *spool) lose(reason loss, count int, err error) error {
	s.metrics.lost[reason].Add(float64(count))
	switch reason {
	case lostQueue:
		s.troubles.note(troubleSpool, err)
	case lostRoom:
		s.troubles.note(troubleRoom, err)
	}
	return err
}

// append writes a group, which has reserved its room, and tells those who wait for it.
func (s *spool) append(group []*entry) {
	var frames []byte
	for _, e := range group {
		frames = append(frames, e.frame...)
	}
	err := s.write(frames, len(group))
	switch {
	case err == nil:
		s.metrics.spooled.Add(float64(len(group)))
		s.troubles.over(troubleSpool)
	case s.hold(frames, len(group)):
		s.metrics.unspooled.Add(float64(len(group)))
		err = fmt.Errorf("%w: %w", errMemory, err)
	default:
		s.taken.Add(-int64(len(frames)))
		err = s.lose(lostQueue, len(group), fmt.Errorf("%w, and memory is full: %w", errQueue, err))
	}
	for _, e := range group {
		e.finish(err)
	}
	s.wake()
}

// write puts frames on disk. A disk that fails is tried once more in a new file; when it fails, the last segment is sealed.
func (s *spool) write(frames []byte, count int) (err error) {
	if time.Since(s.failedAt) < diskAgain {
		return errors.New("the disk failed a moment ago")
	}
	for range 2 {
		if err = s.writeOnce(frames, count); err == nil {
			return nil
		}
		s.seal()
	}
	s.failedAt = time.Now()
	s.troubles.note(troubleSpool, err)
	return err
}

func (s *spool) writeOnce(frames []byte, count int) error {
	last := s.last()
	if s.writing == nil || last.size >= segmentBytes {
		s.seal()
		created, err := s.begin()
		if err != nil {
			return err
		}
		last = created
	}
	if _, err := s.writing.Write(frames); err != nil {
		return err
	}
	// After a failed sync nobody knows what the file holds (the kernel may have dropped it): it is never tried again.
	if err := s.writing.Sync(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.grow(last, frames, count)
	return nil
}

// begin makes the next segment's file.
func (s *spool) begin() (*segment, error) {
	s.mu.Lock()
	fresh := &segment{number: s.next, size: int64(len(segmentMagic))}
	s.next++
	s.mu.Unlock()
	f, err := s.files.create(fresh.file())
	if err != nil {
		return nil, err
	}
	if _, err = f.Write([]byte(segmentMagic)); err == nil {
		err = s.files.sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), s.files.remove(fresh.file()))
	}
	s.writing = f
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(fresh)
	return fresh, nil
}

// seal ends the last segment.
func (s *spool) seal() {
	if s.writing != nil {
		_ = s.writing.Close() // what matters is synced
		s.writing = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) > 0 {
		s.segments[len(s.segments)-1].sealed = true
	}
	s.drop()
}

// hold keeps frames in memory, behind the last segment, which is sealed, if there is room.
func (s *spool) hold(frames []byte, count int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.inMemory+len(frames) > memoryBytes {
		return false
	}
	held := &segment{number: s.next, sealed: true, memory: frames}
	s.next++
	s.inMemory += len(frames)
	s.add(held)
	s.grow(held, frames, count)
	return true
}

// add makes a segment the last. The lock is held.
func (s *spool) add(fresh *segment) {
	s.segments = append(s.segments, fresh)
	if len(s.segments) == 1 {
		s.acknowledged = fresh.first()
	}
}

// first is where a segment's frames begin.
func (s *segment) first() int64 {
	if s.memory != nil {
		return 0
	}
	return int64(len(segmentMagic))
}

// grow lets the reader see what was appended to the last segment. The lock is held.
func (s *spool) grow(last *segment, frames []byte, count int) {
	last.size += int64(len(frames))
	last.taken += int64(len(frames))
	last.records += count
	if s.records == 0 {
		s.since = time.Now()
	}
	s.records += count
}

func (s *spool) last() *segment {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 {
		return nil
	}
	return s.segments[len(s.segments)-1]
}

// finish says that nothing will be appended any more.
func (s *spool) finish() {
	s.mu.Lock()
	s.finished = true
	s.mu.Unlock()
	s.wake()
}

func (s *spool) wake() {
	select {
	case s.appended <- struct{}{}:
	default:
	}
}

// spoolState is what the metrics show.
type spoolState struct {
	bytes, maxBytes int64
	records         int
	// since is when Kafka acknowledged the latest record, or the first of those that wait was appended; zero when none wait.
	since time.Time
}

func (s *spool) state() spoolState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return spoolState{bytes: s.taken.Load(), maxBytes: s.maxBytes, records: s.records, since: s.since}
}

// close gives the directory up. What is only in memory is lost then.
func (s *spool) close() error {
	s.seal()
	s.mu.Lock()
	lost := 0
	for _, held := range s.segments {
		if held.memory != nil {
			lost += held.records
		}
	}
	lost = min(lost, s.records) // Kafka may have some of the first
	again, kept := s.closed, s.records-lost
	s.closed = true
	s.mu.Unlock()
	if again {
		return nil
	}
	if lost > 0 {
		s.metrics.lost[lostStopped].Add(float64(lost))
		s.log.Error("clicks that the disk did not take are lost with the process", "clicks", lost)
	}
	if kept > 0 {
		s.log.Info("clicks wait in the spool for the next start", "clicks", kept)
	}
	err := s.position.Sync()
	return errors.Join(err, s.position.Close(), s.locked.Close())
}
