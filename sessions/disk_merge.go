package sessions

import (
	"io"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

// diskMerger folds what was written of a session at different times into one value. Its name is kept in the
// database, which is not opened with another: whoever changes what values mean changes diskFormat, and old
// databases are set aside.
var diskMerger = &pebble.Merger{
	Name: "cjrelay.clicks." + diskFormat,
	Merge: func(_, value []byte) (pebble.ValueMerger, error) {
		m := &valueMerge{}
		return m, m.MergeNewer(value)
	},
}

// valueMerge collects the values of one session and folds them at the end: a lookup passes them from the newest
// to the oldest, and lineages only follow in the order of time.
type valueMerge struct {
	newer, older [][]byte
}

var _ pebble.ValueMerger = (*valueMerge)(nil)

// MergeNewer implements pebble.ValueMerger. The value stays the caller's.
func (m *valueMerge) MergeNewer(value []byte) error {
	m.newer = append(m.newer, slices.Clone(value))
	return nil
}

// MergeOlder implements pebble.ValueMerger. The value stays the caller's.
func (m *valueMerge) MergeOlder(value []byte) error {
	m.older = append(m.older, slices.Clone(value))
	return nil
}

// Finish implements pebble.ValueMerger.
func (m *valueMerge) Finish(bool) ([]byte, io.Closer, error) {
	slices.Reverse(m.older)
	value, err := foldValues(append(m.older, m.newer...))
	return value, nil, err
}

// foldValues makes one value of those of one session, oldest first. A single one passes as it is.
func foldValues(values [][]byte) ([]byte, error) {
	if len(values) == 1 {
		return values[0], nil
	}
	var folded lineages
	size := 0
	for i, value := range values {
		l, err := decodeLineages(value)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			folded = l
		} else {
			folded = folded.follow(l)
		}
		size += len(value)
	}
	return appendLineages(make([]byte, 0, size), folded), nil
}
