package consumer

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// naive is what the tracker must agree with: every offset ever admitted, looked through each time.
type naive struct {
	admitted []int64
	done     map[int64]bool
	next     int64
}

func (n *naive) admit(offset int64) bool {
	if offset < n.next {
		return false
	}
	n.admitted = append(n.admitted, offset)
	n.next = offset + 1
	return true
}

func (n *naive) complete(offset int64) bool {
	if !slices.Contains(n.admitted, offset) || n.done[offset] {
		return false
	}
	n.done[offset] = true
	return true
}

func (n *naive) watermark() int64 {
	for _, offset := range n.admitted {
		if !n.done[offset] {
			return offset
		}
	}
	return n.next
}

func (n *naive) pending() int { return len(n.admitted) - len(n.done) }

// Every order in which up to seven orders can complete, with holes between their offsets.
func TestTrackerInEveryOrderOfCompletion(t *testing.T) {
	t.Parallel()
	offsets := []int64{3, 4, 7, 8, 9, 15, 16}
	for n := range len(offsets) + 1 {
		permute(slices.Clone(offsets[:n]), 0, func(order []int64) {
			tracker, model := newTracker(), naive{done: map[int64]bool{}, next: -1}
			for _, offset := range offsets[:n] {
				require.True(t, tracker.admit(offset))
				model.admit(offset)
			}
			before := tracker.watermark()
			for _, offset := range order {
				require.True(t, tracker.complete(offset))
				require.False(t, tracker.complete(offset), "completed twice")
				model.complete(offset)
				require.Equal(t, model.watermark(), tracker.watermark(), "order %v", order)
				require.GreaterOrEqual(t, tracker.watermark(), before, "the watermark went back")
				before = tracker.watermark()
			}
			require.Zero(t, tracker.pending)
			require.Empty(t, tracker.entries, "nothing is kept of what is complete")
		})
	}
}

func permute(items []int64, from int, visit func([]int64)) {
	if from == len(items) {
		visit(items)
		return
	}
	for i := from; i < len(items); i++ {
		items[from], items[i] = items[i], items[from]
		permute(items, from+1, visit)
		items[from], items[i] = items[i], items[from]
	}
}

func TestTrackerAgreesWithTheNaiveModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tracker, model := newTracker(), naive{done: map[int64]bool{}, next: -1}
		before := tracker.watermark()
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				next := rapid.Int64Range(0, 60).Draw(t, "log start")
				tracker.skipTo(next)
				model.next = max(model.next, next)
			case 1, 2, 3, 4:
				// Mostly the next offset or one after a hole, now and then one that was read before.
				offset := max(0, model.next+rapid.Int64Range(-3, 3).Draw(t, "gap"))
				require.Equal(t, model.admit(offset), tracker.admit(offset), "admit %d", offset)
			default:
				offset := rapid.Int64Range(-1, 70).Draw(t, "offset")
				if len(model.admitted) > 0 {
					offset = rapid.SampledFrom(model.admitted).Draw(t, "admitted")
				}
				require.Equal(t, model.complete(offset), tracker.complete(offset), "complete %d", offset)
			}
			require.Equal(t, model.watermark(), tracker.watermark())
			require.Equal(t, model.pending(), tracker.pending)
			require.Equal(t, model.next, tracker.next)
			require.GreaterOrEqual(t, tracker.watermark(), before, "the watermark went back")
			for _, offset := range model.admitted {
				require.True(t, model.done[offset] || tracker.watermark() <= offset, "the watermark passed %d, which has no outcome", offset)
			}
			before = tracker.watermark()
		}
	})
}

func TestTrackerKnowsNothingAtFirst(t *testing.T) {
	t.Parallel()
	tracker := newTracker()
	require.EqualValues(t, -1, tracker.watermark())
	require.False(t, tracker.complete(0))
	require.True(t, tracker.admit(0))
	require.EqualValues(t, 0, tracker.watermark())
}
