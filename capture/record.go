package capture

import (
	"encoding/binary"
	"hash/crc32"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// kind is what a record does to its session.
type kind byte

// The kinds, as they stand in the spool.
const (
	put     kind = 1
	erasure kind = 2
)

// record is one click, or one erasure, on its way to Kafka.
type record struct {
	kind    kind
	session string
	// click is empty for an erasure.
	click string
	// at is the time of capture, or that of the erasure, in whole milliseconds.
	at time.Time
}

// A frame is a record in the spool: the length of the rest after the checksum (32 bits), the rest's checksum (32 bits,
// CRC-32C), then the kind, the time in Unix milliseconds (64 bits), the session's length (16 bits), the session and the
// click id. All numbers are big-endian.
const (
	frameHeader = 8
	recordFixed = 1 + 8 + 2
	maxRecord   = recordFixed + maxSession + 64
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame writes the record as a frame.
func (r record) frame() []byte {
	size := recordFixed + len(r.session) + len(r.click)
	out := make([]byte, frameHeader, frameHeader+size)
	out = append(out, byte(r.kind))
	out = binary.BigEndian.AppendUint64(out, uint64(r.at.UnixMilli()))
	out = binary.BigEndian.AppendUint16(out, uint16(len(r.session)))
	out = append(out, r.session...)
	out = append(out, r.click...)
	binary.BigEndian.PutUint32(out, uint32(size))
	binary.BigEndian.PutUint32(out[4:], crc32.Checksum(out[frameHeader:], castagnoli))
	return out
}

// frameSize is the size of the frame at the beginning of data, 0 where there is none that could be whole.
func frameSize(data []byte) int {
	if len(data) < frameHeader {
		return 0
	}
	size := binary.BigEndian.Uint32(data)
	if size < recordFixed || size > maxRecord || len(data)-frameHeader < int(size) {
		return 0
	}
	return frameHeader + int(size)
}

// parseFrame reads a whole frame. It is false for one that is damaged.
func parseFrame(frame []byte) (r record, ok bool) {
	body := frame[frameHeader:]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(frame[4:]) {
		return record{}, false
	}
	r.kind = kind(body[0])
	r.at = time.UnixMilli(int64(binary.BigEndian.Uint64(body[1:]))).UTC()
	session := int(binary.BigEndian.Uint16(body[9:]))
	if session > len(body)-recordFixed {
		return record{}, false
	}
	r.session = string(body[recordFixed : recordFixed+session])
	r.click = string(body[recordFixed+session:])
	if validSession(r.session) != nil {
		return record{}, false
	}
	switch r.kind {
	case put:
		return r, schema.ValidClickID(r.click) == nil
	case erasure:
		return r, r.click == ""
	}
	return record{}, false
}

// parseFrames reads frames until they end. A damaged one between whole ones is left out and counted. What comes after
// read bytes is no frame.
func parseFrames(data []byte) (records []record, read, damaged int) {
	for {
		size := frameSize(data[read:])
		if size == 0 {
			return records, read, damaged
		}
		if r, ok := parseFrame(data[read : read+size]); ok {
			records = append(records, r)
		} else {
			damaged++
		}
		read += size
	}
}

// wholeFrames is how many bytes of data hold whole frames, and how many frames those are. A damaged one at the very end
// is torn and not whole: a crash came before it was safe.
func wholeFrames(data []byte) (size, count int) {
	read := 0
	for {
		frame := frameSize(data[read:])
		if frame == 0 {
			return size, count
		}
		_, ok := parseFrame(data[read : read+frame])
		read += frame
		if ok {
			count++
			size = read
		}
	}
}
