package sessions

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// diskFormat is the version of everything that is written: keys, values, what MaxClicks cuts. A database of
// another version is set aside and made anew from the topic, so changing it needs no migration.
const diskFormat = "1"

// identity is what a database is of. It is written first and must be found again, byte for byte.
func identity(origin Origin) []byte {
	value := append([]byte("cjrelay click table "+diskFormat+" "), origin.TopicID[:]...)
	return append(value, origin.Layout...)
}

// differs says in which way a found identity is not that of origin; empty when it is.
func differs(found []byte, origin Origin) string {
	want := identity(origin)
	topic := len(want) - len(origin.Layout) - len(origin.TopicID)
	switch {
	case bytes.Equal(found, want):
		return ""
	case len(found) < topic+len(origin.TopicID) || !bytes.Equal(found[:topic], want[:topic]):
		return "it is of another version"
	case !bytes.Equal(found[topic:topic+len(origin.TopicID)], origin.TopicID[:]):
		return "it is of another topic: the click topic was made anew, or another one is configured"
	default:
		return "it is of another join mode than " + string(origin.Layout)
	}
}

// appendCheckpoint writes a checkpoint: the next offset (varint), Agreeing (one byte), and of Current, unless
// it is zero, the Unix seconds (varint) and the nanoseconds (uvarint).
func appendCheckpoint(dst []byte, c Checkpoint) []byte {
	dst = append(binary.AppendVarint(dst, c.Next), c.Agreeing)
	if c.Current.IsZero() {
		return dst
	}
	dst = binary.AppendVarint(dst, c.Current.Unix())
	return binary.AppendUvarint(dst, uint64(c.Current.Nanosecond()))
}

func decodeCheckpoint(value []byte) (Checkpoint, error) {
	in := valueReader{rest: value}
	c := Checkpoint{Next: in.varint()}
	if agreeing := in.take(1); in.err == nil {
		c.Agreeing = agreeing[0]
	}
	if in.err == nil && len(in.rest) > 0 {
		seconds, nanos := in.varint(), in.uvarint()
		c.Current = time.Unix(seconds, int64(nanos%uint64(time.Second))).UTC()
		if nanos >= uint64(time.Second) || seconds > math.MaxInt64/2 || len(in.rest) > 0 {
			in.fail("a checkpoint has no time")
		}
	}
	if in.err == nil && c.Next < 0 {
		in.fail("a checkpoint is before offset 0")
	}
	return c, in.err
}
