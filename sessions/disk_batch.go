package sessions

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// diskBatch is a Batch of a Disk. Keys and values lie one after another in a few large pieces of memory, and
// the entries that point to them hold no pointers: millions of changes cost the garbage collector nothing.
type diskBatch struct {
	disk   *Disk
	layout Layout
	space  int // the length of a key's space

	// pieces are filled one after another; the last one is being filled.
	pieces  [][]byte
	spare   [][]byte
	entries []batchEntry
	used    int
	// touched keeps touch from being optimised away.
	touched byte

	key, value []byte
	values     [][]byte
}

var _ Batch = (*diskBatch)(nil)

// batchEntry is one change. Comparing the prefix is nearly always enough to sort it.
type batchEntry struct {
	prefix uint64 // the first bytes of the key after its space
	space  uint32 // which space, in the order of keys
	at     uint32 // piece << pieceBits | offset in it
}

const (
	pieceBits  = 20
	pieceBytes = 1 << pieceBits
	// firstPiece is smaller: most batches of a topic that was read to its end hold little.
	firstPiece = 64 << 10
	entryBytes = 16
	// mostBatchBytes is how much may be added to one batch. An entry counts pieces with what pieceBits leave of 32 bits,
	// and where changes are large, two neighbouring pieces may hold little more than one piece's worth.
	mostBatchBytes = pieceBytes << (32 - pieceBits) / 4
)

// Add implements Batch. A click whose id CJ cannot have given is one that could not be read. Its time is cut to
// milliseconds.
func (b *diskBatch) Add(partition int32, session []byte, change Change) {
	b.key = appendSessionKey(b.key[:0], b.layout, partition, session)
	b.value = appendChange(b.value[:0], partition, change)
	entry := batchEntry{prefix: keyPrefix(b.key[b.space:])}
	if b.layout == Copartitioned {
		entry.space = uint32(partition)
	}
	piece, at := b.reserve(len(b.key) + len(b.value) + 2*binary.MaxVarintLen32)
	entry.at = at
	before := len(*piece)
	*piece = append(binary.AppendUvarint(*piece, uint64(len(b.key))), b.key...)
	*piece = append(binary.AppendUvarint(*piece, uint64(len(b.value))), b.value...)
	b.used += len(*piece) - before
	b.entries = append(b.entries, entry)
}

// keyPrefix is the first eight bytes of a key, as a number of the same order.
func keyPrefix(key []byte) uint64 {
	if len(key) >= 8 {
		return binary.BigEndian.Uint64(key)
	}
	var padded [8]byte
	copy(padded[:], key)
	return binary.BigEndian.Uint64(padded[:])
}

// reserve returns a piece with room for so many bytes, and where they will be.
func (b *diskBatch) reserve(size int) (piece *[]byte, at uint32) {
	last := len(b.pieces) - 1
	if last < 0 || len(b.pieces[last]) >= pieceBytes || cap(b.pieces[last])-len(b.pieces[last]) < size {
		b.pieces = append(b.pieces, b.emptyPiece(size))
		last++
	}
	piece = &b.pieces[last]
	return piece, uint32(last)<<pieceBits | uint32(len(*piece))
}

func (b *diskBatch) emptyPiece(size int) []byte {
	if n := len(b.spare); n > 0 && cap(b.spare[n-1]) >= size {
		piece := b.spare[n-1]
		b.spare = b.spare[:n-1]
		return piece
	}
	if len(b.pieces) == 0 {
		return make([]byte, 0, max(size, firstPiece))
	}
	return make([]byte, 0, max(size, pieceBytes))
}

// Bytes implements Batch.
func (b *diskBatch) Bytes() int { return b.used + entryBytes*len(b.entries) }

// record is the key and value of an entry.
func (b *diskBatch) record(e batchEntry) (key, value []byte) {
	rest := b.pieces[e.at>>pieceBits][e.at&(pieceBytes-1):]
	size, n := binary.Uvarint(rest)
	key, rest = rest[n:n+int(size)], rest[n+int(size):]
	size, n = binary.Uvarint(rest)
	return key, rest[n : n+int(size)]
}

// sort brings the entries into the order of their keys, and those of one session into that of Add.
func (b *diskBatch) sort() {
	slices.SortFunc(b.entries, func(a, c batchEntry) int {
		switch {
		case a.prefix != c.prefix && a.space == c.space:
			return cmp.Compare(a.prefix, c.prefix)
		case a.space != c.space:
			return cmp.Compare(a.space, c.space)
		}
		x, _ := b.record(a)
		y, _ := b.record(c)
		if order := bytes.Compare(x, y); order != 0 {
			return order
		}
		return cmp.Compare(a.at, c.at)
	})
}

// touch reads a byte of each of the next records, and returns where it has stopped. In the order of keys they lie all
// over the memory: asked for together, they come to the processor's cache at once instead of one after the other.
func (b *diskBatch) touch(from int) (to int) {
	to = min(from+64, len(b.entries))
	for _, e := range b.entries[from:to] {
		b.touched ^= b.pieces[e.at>>pieceBits][e.at&(pieceBytes-1)]
	}
	return to
}

// sessions passes each session of the sorted batch with what its changes say together.
func (b *diskBatch) sessions(yield func(key, value []byte) error) error {
	for i, near := 0, 0; i < len(b.entries); {
		if i >= near {
			near = b.touch(i)
		}
		key, value := b.record(b.entries[i])
		b.values = append(b.values[:0], value)
		for i++; i < len(b.entries) && b.entries[i].prefix == b.entries[i-1].prefix; i++ {
			next, value := b.record(b.entries[i])
			if !bytes.Equal(key, next) {
				break
			}
			b.values = append(b.values, value)
		}
		folded, err := foldValues(b.values)
		if err != nil {
			return err
		}
		if err := yield(key, folded); err != nil {
			return err
		}
	}
	return nil
}

// reset empties the batch. It keeps about as much memory as it used this time: after a table was filled, its
// batches are small for the rest of their lives.
func (b *diskBatch) reset() {
	b.spare = b.spare[:0]
	for _, piece := range b.pieces {
		if cap(piece) <= pieceBytes {
			b.spare = append(b.spare, piece[:0])
		}
	}
	clear(b.pieces)
	b.pieces = b.pieces[:0]
	clear(b.spare[len(b.spare):cap(b.spare)])
	if cap(b.entries) > 4*len(b.entries)+firstPiece/entryBytes {
		b.entries = nil
	}
	b.entries, b.used = b.entries[:0], 0
}
