package sessions

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// answer is a verdict: the click's id, or the reason for a miss.
type answer struct {
	id     string
	reason schema.Reason
}

func (a answer) String() string {
	if a.reason == "" {
		return a.id
	}
	return string(a.reason)
}

// oracleWindow is as long as a test needs it.
const oracleWindow = 24 * time.Hour

// contract is what design.md says of the join, word for word and as slow as it likes, over everything that is known
// of one session, ordered by partition and offset.
func contract(known []*entry, at time.Time) answer {
	var live []*entry
	erased := false
	for _, e := range known {
		erased = erased || e.kind == Erase
		if e.kind != Erase && !slices.ContainsFunc(known, e.erasedBy) && !slices.ContainsFunc(live, e.repeats) {
			live = append(live, e)
		}
	}
	var latest *entry
	later, spoilt := false, false
	for _, e := range live {
		switch {
		case e.kind == Spoil:
			spoilt = true
		case e.at.After(at):
			later = true
		case latest == nil || !e.at.Before(latest.at):
			latest = e
		}
	}
	switch {
	case latest != nil && at.Sub(latest.at) > oracleWindow:
		return answer{reason: schema.ReasonClickExpired}
	case latest != nil:
		return answer{id: latest.id}
	case later:
		return answer{reason: schema.ReasonClickAfterOrder}
	case spoilt:
		return answer{reason: schema.ReasonClickInvalid}
	case erased:
		return answer{reason: schema.ReasonClickErased}
	}
	return answer{reason: schema.ReasonNoClick}
}

// erasedBy: a tombstone erases by offset in its own partition. In another one, where offsets say nothing, it erases
// the clicks that were captured up to its time.
func (e *entry) erasedBy(by *entry) bool {
	switch {
	case by.kind != Erase:
		return false
	case by.partition == e.partition:
		return e.offset < by.offset
	}
	return e.kind == Put && !e.at.After(by.at)
}

// repeats: the same click again changes nothing.
func (e *entry) repeats(earlier *entry) bool {
	return e.kind == Put && earlier.kind == Put && e.partition == earlier.partition && e.id == earlier.id && e.at.Equal(earlier.at)
}

// belief is what a store may know of one session. What it knows depends on when it read a record and when the topic
// lost it, which only the store can tell; but what it has shown once it must stay true to.
type belief struct {
	// worlds are the sets of records that it may know, each ordered by partition and offset.
	worlds [][]*entry
	// decided is, by partition, the offset below which a record that is in no world was missed for good.
	decided map[int32]int64
}

// mind is what a store may know. It begins to read when born removals have happened.
type mind struct {
	born    int
	beliefs map[string]belief
}

func newMind(born int) *mind { return &mind{born: born, beliefs: map[string]belief{}} }

func (m *mind) clone() *mind {
	copied := newMind(m.born)
	for session, b := range m.beliefs {
		copied.beliefs[session] = b
	}
	return copied
}

// behind is the belief after a gate: everything below from, in each partition, was read, and perhaps more, up to to.
func (m *mind) behind(topic *topicLog, session string, partitions []int32, from, to map[int32]int64) belief {
	old, known := m.beliefs[session]
	if !known {
		old.worlds = [][]*entry{nil}
	}
	worlds := old.worlds
	for _, p := range partitions {
		var open []*entry
		for _, e := range topic.partitions[p].entries {
			if e.session == session && e.offset >= old.decided[p] && e.offset < to[p] && e.counts() && e.removed > m.born {
				open = append(open, e)
			}
		}
		var next [][]*entry
		for _, world := range worlds {
			for _, more := range ways(open, removals(open), 0, from[p]) {
				next = append(next, slices.Concat(world, more))
			}
		}
		worlds = next
	}
	for _, world := range worlds {
		slices.SortFunc(world, inTopicOrder)
	}
	return belief{worlds: distinct(worlds), decided: from}
}

// removals are the distinct removals that records went with, in order; the last is never.
func removals(entries []*entry) []int {
	found := []int{never}
	for _, e := range entries {
		found = append(found, e.removed)
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// ways are the sets of records that a reader of one partition may have seen, when each removal met it at a position of
// its own that never goes back, and it ends at end or further.
func ways(entries []*entry, when []int, position, end int64) (seen [][]*entry) {
	if len(when) == 0 {
		return [][]*entry{nil}
	}
	if when[0] == never {
		position = max(position, end)
	}
	var sure []*entry
	positions := []int64{position}
	for _, e := range entries {
		switch {
		case e.removed != when[0]:
		case e.offset < position:
			sure = append(sure, e)
		default:
			positions = append(positions, e.offset+1)
		}
	}
	for _, position := range positions {
		these := sure
		for _, e := range entries {
			if e.removed == when[0] && e.offset >= positions[0] && e.offset < position {
				these = append(slices.Clip(these), e)
			}
		}
		for _, rest := range ways(entries, when[1:], position, end) {
			seen = append(seen, slices.Concat(these, rest))
		}
	}
	return seen
}

func distinct(worlds [][]*entry) [][]*entry {
	seen := map[string]bool{}
	return slices.DeleteFunc(worlds, func(world []*entry) bool {
		name := names(world)
		defer func() { seen[name] = true }()
		return seen[name]
	})
}

func names(world []*entry) string {
	var all strings.Builder
	for _, e := range world {
		fmt.Fprintf(&all, " %d/%d", e.partition, e.offset)
	}
	return all.String()
}

// possible are the answers that the contract gives for each of the worlds.
func (b belief) possible(at time.Time) (answers []answer) {
	for _, world := range b.worlds {
		if a := contract(world, at); !slices.Contains(answers, a) {
			answers = append(answers, a)
		}
	}
	return answers
}

// given keeps the worlds that give the answer.
func (b belief) given(at time.Time, seen answer) belief {
	kept := belief{decided: b.decided}
	for _, world := range b.worlds {
		if contract(world, at) == seen {
			kept.worlds = append(kept.worlds, world)
		}
	}
	return kept
}
