package consumer

import "sort"

// tracker knows which offsets of a partition have an outcome. Offsets are admitted in rising order, with
// holes wherever Kafka has them (transaction markers, compaction, retention), and complete in any order.
// It never computes with "the next offset": holes are why. It is not safe for concurrent use.
type tracker struct {
	// entries are the admitted offsets from the lowest one without an outcome on.
	entries []entry
	// pending is how many entries have no outcome.
	pending int
	// next is the offset after the last one admitted, -1 before the first.
	next int64
	// before are offsets that had their outcome in an earlier life. They complete as soon as they are read.
	before spans
}

type entry struct {
	offset int64
	done   bool
}

func newTracker() tracker { return tracker{next: -1} }

// admit notes an offset that was read. It reports false for one that was read before.
func (t *tracker) admit(offset int64) bool {
	if offset < t.next {
		return false
	}
	t.entries = append(t.entries, entry{offset: offset})
	t.pending++
	t.next = offset + 1
	return true
}

// restore notes which offsets had their outcome in an earlier life. It comes before the first admit.
func (t *tracker) restore(done spans) { t.before = done }

// isDone tells whether an offset that was just admitted had its outcome in an earlier life.
func (t *tracker) isDone(offset int64) bool {
	for len(t.before) > 0 && t.before[0].to <= offset {
		t.before = t.before[1:]
	}
	return len(t.before) > 0 && t.before[0].from <= offset
}

// above are the offsets over the watermark that have an outcome, those not read again yet among them. A hole
// between two of them counts as one: there is nothing in it to be read.
func (t *tracker) above() spans {
	var done spans
	open := false
	for _, e := range t.entries {
		switch {
		case !e.done:
			open = false
		case open:
			done[len(done)-1].to = e.offset + 1
		default:
			done = append(done, span{e.offset, e.offset + 1})
			open = true
		}
	}
	return append(done, t.before.from(t.next)...)
}

// complete notes that an admitted offset has an outcome. It reports false when it is not pending.
func (t *tracker) complete(offset int64) bool {
	i := sort.Search(len(t.entries), func(i int) bool { return t.entries[i].offset >= offset })
	if i == len(t.entries) || t.entries[i].offset != offset || t.entries[i].done {
		return false
	}
	t.entries[i].done = true
	t.pending--
	if i == 0 {
		t.trim()
	}
	return true
}

// ahead is how many orders are done above the lowest offset without an outcome.
func (t *tracker) ahead() int { return len(t.entries) - t.pending }

// doneBetween is how many of the offsets from one up to but not including another, which were not read yet, had their
// outcome in an earlier life.
func (t *tracker) doneBetween(from, to int64) (done int64) {
	for _, one := range t.before.from(from) {
		done += max(min(one.to, to)-one.from, 0)
	}
	return done
}

// skipTo notes that no offset below next is to be read any more.
func (t *tracker) skipTo(next int64) { t.next = max(t.next, next) }

// trim drops the completed entries at the low end.
func (t *tracker) trim() {
	n := 0
	for n < len(t.entries) && t.entries[n].done {
		n++
	}
	t.entries = t.entries[n:]
	if len(t.entries) == 0 {
		t.entries = nil
	}
}

// watermark is the offset that may be committed: the lowest one without an outcome, or the next to read
// when none is pending; -1 when nothing was read yet.
func (t *tracker) watermark() int64 {
	if len(t.entries) > 0 {
		return t.entries[0].offset
	}
	return t.next
}
