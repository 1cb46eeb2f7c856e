package replay

import (
	"math/bits"

	"github.com/cjrelay/cjrelay/internal/extent"
)

// marks are some of the offsets of a range. One goroutine sets them; then any may read.
type marks struct {
	extent.Range
	words []uint64
}

func newMarks(r extent.Range) *marks {
	return &marks{Range: r, words: make([]uint64, (max(0, r.To-r.From)+63)/64)}
}

func (m *marks) set(offset int64) {
	at := offset - m.From
	m.words[at/64] |= 1 << (at % 64)
}

func (m *marks) has(offset int64) bool {
	if offset < m.From || offset >= m.To {
		return false
	}
	at := offset - m.From
	return m.words[at/64]&(1<<(at%64)) != 0
}

// below counts the marked offsets below one.
func (m *marks) below(offset int64) (n int64) {
	at := min(max(offset, m.From), m.To) - m.From
	for _, word := range m.words[:at/64] {
		n += int64(bits.OnesCount64(word))
	}
	if rest := at % 64; rest > 0 {
		n += int64(bits.OnesCount64(m.words[at/64] & (1<<rest - 1)))
	}
	return n
}
