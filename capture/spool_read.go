package capture

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

const (
	// batchBytes is how much is read at once: some two thousand clicks, a few batches of Kafka's.
	batchBytes = 256 << 10
	// readAgain is how long to wait before what could not be read is read again, and readTries how often that is done
	// before the segment is given up, so that one bad sector does not hold up all that lies behind it.
	readAgain = time.Second
	readTries = 30
)

// batch is what is read at once.
type batch struct {
	records []record
	// to is how far the oldest segment is read with it.
	to int64
}

// read waits for records that Kafka has not acknowledged. It is false when ctx ends, or when there are none and will be
// none. A batch without records moves on over damage.
func (s *spool) read(ctx context.Context) (batch, bool) {
	for {
		of, from, size, finished := s.unread()
		if of != nil {
			if b, ok := s.readFrom(ctx, of, from, size); ok {
				return b, true
			}
			if ctx.Err() != nil {
				return batch{}, false
			}
			continue
		}
		if finished {
			return batch{}, false
		}
		select {
		case <-s.appended:
		case <-ctx.Done():
			return batch{}, false
		}
	}
}

// unread is the segment to read, with where from and where it ends now; nil when all is acknowledged.
func (s *spool) unread() (of *segment, from, size int64, finished bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	if len(s.segments) == 0 || s.acknowledged >= s.segments[0].size {
		return nil, 0, 0, s.finished
	}
	return s.segments[0], s.acknowledged, s.segments[0].size, s.finished
}

func (s *spool) readFrom(ctx context.Context, of *segment, from, size int64) (batch, bool) {
	data, err := s.bytesOf(ctx, of, from, min(size-from, batchBytes))
	if ctx.Err() != nil {
		return batch{}, false
	}
	if err != nil {
		s.damage(of, err)
		return batch{to: size}, true
	}
	records, read, damaged := parseFrames(data)
	switch {
	case read == 0:
		// Not even a length: what follows cannot be found.
		s.damage(of, errors.New("what follows is no click"))
		return batch{to: size}, true
	case damaged > 0:
		s.damage(of, errors.New("a checksum is wrong"))
	}
	return batch{records: records, to: from + int64(read)}, true
}

// bytesOf reads some of a segment, over and over where the disk does not let it.
func (s *spool) bytesOf(ctx context.Context, of *segment, from, size int64) (data []byte, err error) {
	if of.memory != nil {
		return of.memory[from : from+size], nil
	}
	for range readTries {
		if data, err = s.files.readAt(of.file(), from, int(size)); err == nil || errors.Is(err, fs.ErrNotExist) {
			return data, err
		}
		s.troubles.note(troubleSpool, fmt.Errorf("read back: %w", err))
		select {
		case <-time.After(readAgain):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return nil, err
}

// damage notes that a part of a segment is lost.
func (s *spool) damage(of *segment, err error) {
	s.metrics.lost[lostDamaged].Inc()
	s.log.Error("a part of the spool cannot be read; the file is set aside", "file", of.file(), "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	of.damaged = true
}

// acknowledge says that Kafka has the batch that was read last. The error is of noting it, and costs no more than producing it again.
func (s *spool) acknowledge(b batch) error {
	s.mu.Lock()
	s.acknowledged = b.to
	s.records -= len(b.records)
	s.since = time.Now()
	s.drop()
	s.mu.Unlock()
	return s.writePosition()
}

// drop removes the segments that are acknowledged to their end. The lock is held.
func (s *spool) drop() {
	for len(s.segments) > 0 && s.segments[0].sealed && s.acknowledged >= s.segments[0].size {
		done := s.segments[0]
		s.segments = s.segments[1:]
		s.taken.Add(-done.taken)
		if len(s.segments) > 0 {
			s.acknowledged = s.segments[0].first()
		}
		s.discard(done)
		s.troubles.over(troubleRoom)
	}
	if len(s.segments) == 0 {
		s.records = 0
	}
	if s.records <= 0 {
		s.records, s.since = 0, time.Time{}
	}
}

func (s *spool) discard(done *segment) {
	var err error
	switch {
	case done.memory != nil:
		s.inMemory -= len(done.memory)
	case done.damaged:
		err = s.files.rename(done.file(), done.file()+".damaged")
	default:
		err = s.files.remove(done.file())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.log.Warn("a file of the spool that is done with cannot be removed", "file", done.file(), "error", err)
	}
}
