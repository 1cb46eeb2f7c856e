package replay

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cjrelay/cjrelay/internal/extent"
)

func TestMarksAreASetOfOffsets(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.Int64Range(0, 1<<40).Draw(t, "from")
		length := rapid.Int64Range(0, 300).Draw(t, "length")
		m := newMarks(extent.Range{From: from, To: from + length})
		set := map[int64]bool{}
		if length > 0 {
			for _, offset := range rapid.SliceOf(rapid.Int64Range(from, from+length-1)).Draw(t, "offsets") {
				m.set(offset)
				set[offset] = true
			}
		}
		below := int64(0)
		for offset := from - 70; offset < from+length+70; offset++ {
			require.Equal(t, below, m.below(offset), offset)
			require.Equal(t, set[offset], m.has(offset), offset)
			if set[offset] {
				below++
			}
		}
	})
}
