package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"
)

const segmentSuffix = ".clicks"

// openSpool takes the directory and what an earlier process left in it.
func openSpool(files files, maxBytes int64, metrics *metrics, troubles *troubles, log *slog.Logger) (_ *spool, err error) {
	locked, err := files.lock()
	if err != nil {
		return nil, err
	}
	s := &spool{
		files: files, locked: locked, maxBytes: maxBytes, metrics: metrics, troubles: troubles, log: log, appended: make(chan struct{}, 1), next: 1,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, locked.Close())
		}
	}()
	if err := s.load(); err != nil {
		return nil, err
	}
	if s.position, err = files.create(positionFile); err != nil {
		return nil, err
	}
	if err := s.writePosition(); err != nil {
		return nil, errors.Join(err, s.position.Close())
	}
	if s.records > 0 {
		s.since = time.Now()
		log.Info("clicks of an earlier run wait in the spool", "clicks", s.records, "bytes", s.taken.Load())
	}
	return s, nil
}

// load reads the segments that are there. They get no more: what a crash left at their end is cut off.
func (s *spool) load() error {
	numbers, err := s.numbers()
	if err != nil {
		return err
	}
	number, offset := s.readPosition()
	for i, n := range numbers {
		found := &segment{number: n, sealed: true}
		s.next = n + 1
		if n < number {
			// Kafka has all of it; the crash came before it was removed.
			if err := s.files.remove(found.file()); err != nil {
				return err
			}
			continue
		}
		if err := s.scan(found, i == len(numbers)-1); err != nil {
			return err
		}
		s.add(found)
		s.taken.Add(found.taken)
		s.records += found.records
	}
	s.next = max(s.next, number+1)
	if len(s.segments) > 0 && s.segments[0].number == number && offset <= s.segments[0].size {
		s.skip(offset)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop()
	return nil
}

func (s *spool) numbers() ([]uint64, error) {
	names, err := s.files.list()
	if err != nil {
		return nil, err
	}
	var numbers []uint64
	for _, name := range names {
		digits, found := strings.CutSuffix(name, segmentSuffix)
		number, err := strconv.ParseUint(digits, 10, 64)
		if found && err == nil && (&segment{number: number}).file() == name {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// scan finds out what a segment's file holds. The last one may end in what a crash has torn, which was promised to
// nobody; anything else that is no record is damage, which reading it will tell.
func (s *spool) scan(found *segment, isLast bool) error {
	data, err := s.files.read(found.file())
	if err != nil {
		return err
	}
	header := len(segmentMagic)
	if len(data) < header || string(data[:header]) != segmentMagic {
		found.size = int64(header)
		if !isLast || len(data) >= header {
			s.damage(found, errors.New("it does not begin like a file of the spool"))
		}
		return nil
	}
	size, count := wholeFrames(data[header:])
	found.size = int64(header + size)
	found.records = count
	found.taken = int64(len(data) - header)
	if torn := int64(len(data)) - found.size; torn > 0 {
		if !isLast {
			s.damage(found, errors.New("what follows is no click"))
			return nil
		}
		s.log.Warn("the spool ended in the middle of a group of clicks, which is cut off", "file", found.file(), "bytes", torn)
		found.taken = int64(size)
		return s.files.truncate(found.file(), found.size)
	}
	return nil
}

// skip takes what was acknowledged of the first segment as read.
func (s *spool) skip(offset int64) {
	first := s.segments[0].first()
	if offset <= first {
		return
	}
	data, err := s.files.readAt(s.segments[0].file(), first, int(offset-first))
	if err != nil {
		return
	}
	if size, count := wholeFrames(data); first+int64(size) == offset {
		s.acknowledged = offset
		s.records -= count
	}
}

// positionFile holds the number of the segment that is read and how far Kafka has acknowledged it, 64 bits each, and a
// CRC-32C of the two.
const positionFile = "position"

func (s *spool) readPosition() (number uint64, offset int64) {
	data, err := s.files.read(positionFile)
	if err != nil || len(data) != 20 || crc32.Checksum(data[:16], castagnoli) != binary.BigEndian.Uint32(data[16:]) {
		if err == nil && len(data) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("how far the spool was produced is unknown; some clicks are produced again, which changes nothing")
		}
		return 0, 0
	}
	return binary.BigEndian.Uint64(data), int64(binary.BigEndian.Uint64(data[8:]))
}

// writePosition notes where reading goes on. It waits for the disk once a second at most: a power failure costs no more
// than producing that second again.
func (s *spool) writePosition() error {
	s.mu.Lock()
	number, offset := s.next, int64(0)
	if len(s.segments) > 0 {
		number, offset = s.segments[0].number, s.acknowledged
	}
	s.mu.Unlock()
	data := binary.BigEndian.AppendUint64(nil, number)
	data = binary.BigEndian.AppendUint64(data, uint64(offset))
	data = binary.BigEndian.AppendUint32(data, crc32.Checksum(data, castagnoli))
	if _, err := s.position.WriteAt(data, 0); err != nil {
		return fmt.Errorf("note how far Kafka has acknowledged: %w", err)
	}
	if time.Since(s.positionSync) < time.Second {
		return nil
	}
	s.positionSync = time.Now()
	return s.position.Sync()
}
