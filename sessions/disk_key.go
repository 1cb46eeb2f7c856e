package sessions

import (
	"encoding/binary"
	"encoding/hex"
	"math"
)

// A key in the database begins with its space. All that is kept of one partition, or in a Global store of all
// of them together, is one space, so that one range holds it and nothing else:
//
//	identity                     0x00
//	space, Global                0x01
//	space, Copartitioned         0x01 partition (4 bytes, big-endian)
//	checkpoint in a space        space 0x00 partition (4 bytes, big-endian)
//	session                      space 0x01 its bytes
//	session that is a UUID       space 0x02 its 16 bytes
const (
	identitySpace byte = 0x00
	dataSpace     byte = 0x01

	checkpointTag byte = 0x00
	bytesTag      byte = 0x01
	uuidTag       byte = 0x02
)

// uuidText is the length of a UUID as most shops write it: lower-case digits with dashes.
const uuidText = 36

// appendSpace appends the space of a partition.
func appendSpace(dst []byte, layout Layout, partition int32) []byte {
	dst = append(dst, dataSpace)
	if layout == Copartitioned {
		dst = binary.BigEndian.AppendUint32(dst, uint32(partition))
	}
	return dst
}

// spaceSize is the length of every space of a layout.
func spaceSize(layout Layout) int {
	if layout == Copartitioned {
		return 5
	}
	return 1
}

// spaceRange is the range of keys of a partition's space; the end is not in it.
func spaceRange(layout Layout, partition int32) (start, end []byte) {
	start = appendSpace(nil, layout, partition)
	if layout == Copartitioned {
		return start, binary.BigEndian.AppendUint32([]byte{dataSpace}, uint32(partition)+1)
	}
	return start, []byte{dataSpace + 1}
}

func appendCheckpointKey(dst []byte, layout Layout, partition int32) []byte {
	dst = append(appendSpace(dst, layout, partition), checkpointTag)
	return binary.BigEndian.AppendUint32(dst, uint32(partition))
}

// parseCheckpointKey takes the partition out of what appendCheckpointKey made.
func parseCheckpointKey(key []byte, layout Layout) (partition int32, ok bool) {
	size := spaceSize(layout)
	if len(key) != size+5 || key[size] != checkpointTag {
		return 0, false
	}
	last := binary.BigEndian.Uint32(key[size+1:])
	if last > math.MaxInt32 {
		return 0, false
	}
	return int32(last), string(appendCheckpointKey(nil, layout, int32(last))) == string(key)
}

// appendSessionKey appends the key of a session. No two sessions of a space share one: only the one way to
// write a UUID that packs back into the same text is packed.
func appendSessionKey[S string | []byte](dst []byte, layout Layout, partition int32, session S) []byte {
	dst = appendSpace(dst, layout, partition)
	if id, ok := packUUID(session); ok {
		return append(append(dst, uuidTag), id[:]...)
	}
	return append(append(dst, bytesTag), session...)
}

// packUUID packs a UUID in lower case with dashes.
func packUUID[S string | []byte](text S) (id [16]byte, ok bool) {
	if len(text) != uuidText || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return id, false
	}
	at := 0
	for i := 0; i < uuidText; i += 2 {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			i++
		}
		high, low := lowerHex[text[i]], lowerHex[text[i+1]]
		if high|low > 0x0f {
			return id, false
		}
		id[at] = high<<4 | low
		at++
	}
	return id, true
}

// packClickID packs a click id of 32 lower-case hexadecimal digits, which is what CJ's look like.
func packClickID(text string) (id [16]byte, ok bool) {
	if len(text) != 2*len(id) {
		return id, false
	}
	for i := range id {
		high, low := lowerHex[text[2*i]], lowerHex[text[2*i+1]]
		if high|low > 0x0f {
			return id, false
		}
		id[i] = high<<4 | low
	}
	return id, true
}

func unpackClickID(packed []byte) string {
	var text [32]byte
	hex.Encode(text[:], packed)
	return string(text[:])
}

// lowerHex is what a lower-case hexadecimal digit stands for, and 0xff for every other byte.
var lowerHex = func() (values [256]byte) {
	for i := range values {
		values[i] = 0xff
	}
	for i, digit := range []byte("0123456789abcdef") {
		values[digit] = byte(i)
	}
	return values
}()
