package sessions

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/cjrelay/cjrelay/schema"
)

// The value of a session is its lineages one after another, partitions ascending. Everything is written in one
// way only, so that whatever else is found was not written by us:
//
//	lineage   partition (uvarint)
//	          number of clicks << 2 | spoiled << 1 | erased (uvarint)
//	          time of the erasure, if erased (varint)
//	          clicks
//	click     time: the first of a lineage as varint, the others as the uvarint since the one before
//	          length of the id, 0 for 32 lower-case hexadecimal digits in 16 bytes (one byte)
//	          id
//
// Times are milliseconds since valueEpoch. A session with one click takes 25 bytes.
const valueEpoch = 946_684_800_000 // 2000-01-01T00:00:00Z as Unix milliseconds

const (
	erasedFlag  = 1 << 0
	spoiledFlag = 1 << 1
	flagBits    = 2
	// smallestClick is the length of a click that comes soon after another and has an id of one character.
	smallestClick = 3
)

func valueTime(t time.Time) int64           { return t.UnixMilli() - valueEpoch }
func timeOfValue(at int64) time.Time        { return time.UnixMilli(at + valueEpoch).UTC() }
func beyondTime(at int64) bool              { return at > math.MaxInt64-valueEpoch }
func damaged(format string, a ...any) error { return &damagedValue{fmt.Sprintf(format, a...)} }

// appendChange appends what one record of a partition says: lineages with a single change.
func appendChange(dst []byte, partition int32, change Change) []byte {
	switch {
	case change.Kind == Erase:
		dst = appendLineage(dst, partition, 0, erasedFlag)
		return binary.AppendVarint(dst, valueTime(change.At))
	case change.Kind == Spoil, schema.ValidClickID(change.Click.ID) != nil:
		return appendLineage(dst, partition, 0, spoiledFlag)
	default:
		dst = appendLineage(dst, partition, 1, 0)
		dst = binary.AppendVarint(dst, valueTime(change.Click.CapturedAt))
		return appendClickID(dst, change.Click.ID)
	}
}

// appendLineages appends a session's lineages. Those that say nothing any more, since another partition's
// tombstone took their clicks, are left out.
func appendLineages(dst []byte, l lineages) []byte {
	for _, of := range l {
		flags := 0
		if of.erased {
			flags |= erasedFlag
		}
		if of.spoiled {
			flags |= spoiledFlag
		}
		if flags == 0 && len(of.clicks) == 0 {
			continue
		}
		dst = appendLineage(dst, of.partition, len(of.clicks), flags)
		if of.erased {
			dst = binary.AppendVarint(dst, valueTime(of.erasedAt))
		}
		last := int64(0)
		for i, click := range of.clicks {
			at := valueTime(click.CapturedAt)
			if i == 0 {
				dst = binary.AppendVarint(dst, at)
			} else {
				dst = binary.AppendUvarint(dst, uint64(at-last))
			}
			last = at
			dst = appendClickID(dst, click.ID)
		}
	}
	return dst
}

func appendLineage(dst []byte, partition int32, clicks, flags int) []byte {
	dst = binary.AppendUvarint(dst, uint64(partition))
	return binary.AppendUvarint(dst, uint64(clicks)<<flagBits|uint64(flags))
}

func appendClickID(dst []byte, id string) []byte {
	if packed, ok := packClickID(id); ok {
		return append(append(dst, 0), packed[:]...)
	}
	return append(append(dst, byte(len(id))), id...)
}

// decodeLineages reads what appendLineages and appendChange wrote, and nothing else. It keeps nothing of value.
func decodeLineages(value []byte) (lineages, error) {
	in := valueReader{rest: value}
	l := make(lineages, 0, 1)
	for {
		l = append(l, in.lineage())
		switch n := len(l); {
		case in.err != nil:
			return nil, in.err
		case n > 1 && l[n-1].partition <= l[n-2].partition:
			return nil, damaged("partition %d comes after %d", l[n-1].partition, l[n-2].partition)
		case len(in.rest) == 0:
			return l, nil
		}
	}
}

// valueReader takes a value apart. After its first error it only returns zeros.
type valueReader struct {
	rest []byte
	err  error
}

func (in *valueReader) lineage() lineage {
	partition, head := in.uvarint(), in.uvarint()
	clicks := head >> flagBits
	of := lineage{partition: int32(partition), erased: head&erasedFlag != 0, spoiled: head&spoiledFlag != 0}
	switch {
	case in.err != nil:
		return of
	case partition > math.MaxInt32:
		in.fail("partition %d does not exist", partition)
		return of
	case head == 0:
		in.fail("a partition says nothing")
		return of
	case clicks > MaxClicks || clicks*smallestClick > uint64(len(in.rest)):
		in.fail("%d clicks in %d bytes", clicks, len(in.rest))
		return of
	}
	if of.erased {
		at := in.varint()
		if beyondTime(at) {
			in.fail("an erasure is beyond all time")
		}
		of.erasedAt = timeOfValue(at)
	}
	if clicks > 0 {
		of.clicks = make([]schema.Click, clicks)
		in.clicks(of.clicks)
	}
	return of
}

func (in *valueReader) clicks(clicks []schema.Click) {
	at := in.varint()
	for i := range clicks {
		if i > 0 {
			since := in.uvarint()
			if since > math.MaxInt64 || at+int64(since) < at {
				in.fail("a click is beyond all time")
			}
			at += int64(since)
		}
		if beyondTime(at) {
			in.fail("a click is beyond all time")
		}
		clicks[i] = schema.Click{ID: in.clickID(), CapturedAt: timeOfValue(at)}
		for before := i - 1; before >= 0 && clicks[before].CapturedAt.Equal(clicks[i].CapturedAt); before-- {
			if clicks[before].ID == clicks[i].ID {
				in.fail("a click is there twice")
			}
		}
		if in.err != nil {
			return
		}
	}
}

func (in *valueReader) clickID() string {
	length := in.take(1)
	if in.err != nil {
		return ""
	}
	if length[0] == 0 {
		if packed := in.take(16); in.err == nil {
			return unpackClickID(packed)
		}
		return ""
	}
	id := string(in.take(int(length[0])))
	if in.err == nil && schema.ValidClickID(id) != nil {
		in.fail("a click id of %d bytes is not one", len(id))
	}
	if _, packs := packClickID(id); packs {
		in.fail("a click id is not packed")
	}
	return id
}

func (in *valueReader) take(n int) []byte {
	if in.err != nil {
		return nil
	}
	if n > len(in.rest) {
		in.fail("cut short: %d bytes where %d are missing", len(in.rest), n)
		return nil
	}
	taken := in.rest[:n]
	in.rest = in.rest[n:]
	return taken
}

func (in *valueReader) uvarint() uint64 {
	if in.err != nil {
		return 0
	}
	value, n := binary.Uvarint(in.rest)
	// A number that ends in a zero byte could have been written shorter.
	if n <= 0 || n > 1 && in.rest[n-1] == 0 {
		in.fail("no number in %d bytes", len(in.rest))
		return 0
	}
	in.rest = in.rest[n:]
	return value
}

func (in *valueReader) varint() int64 {
	value := in.uvarint()
	return int64(value>>1) ^ -int64(value&1)
}

func (in *valueReader) fail(format string, a ...any) {
	if in.err == nil {
		in.err = damaged(format, a...)
	}
}

// damagedValue says what is wrong with a value, without showing any of it. Pebble takes it for a corruption, as
// it is: it does not try the same compaction again and again.
type damagedValue struct{ what string }

func (e *damagedValue) Error() string { return "a stored value is not what was written: " + e.what }

func (e *damagedValue) Is(target error) bool {
	return target == ErrDamaged || target == pebble.ErrCorruption
}
