package consumer

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever comes, ends and gets lost, the answers are those of the contract, an order is sent once at a time, and
// when all have ended nothing is left over.
func TestDuplicatesAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 6).Draw(t, "limit")
		m := &duplicatesMachine{post: newPost(limit), limit: limit, going: map[string]*record{}}
		t.Repeat(map[string]func(*rapid.T){
			"come":        m.come,
			"acknowledge": m.acknowledgeOne,
			"leave":       m.leaveOne,
			"":            m.observe,
		})
		for len(m.here) > 0 {
			m.leaveAt(t, rapid.IntRange(0, len(m.here)-1).Draw(t, "order"), rapid.Bool().Draw(t, "acknowledged"))
		}
		require.Empty(t, m.underWay)
	})
}

// record is a candidate in words.
type record struct {
	*candidate
	order, query string
}

// duplicatesMachine keeps every acknowledgement there was, and looks at them all.
type duplicatesMachine struct {
	*post
	limit        int
	acknowledged []*record
	// here are the candidates that have not left, as they came; going those that may be sent.
	here  []*record
	going map[string]*record
}

// expected is a candidate's answer by the contract.
func (m *duplicatesMachine) expected(one *record) answer {
	lately := m.acknowledged[max(0, len(m.acknowledged)-m.limit):]
	for _, before := range slices.Backward(lately) {
		if before.order == one.order {
			if before.location == one.location {
				break
			}
			if before.query != one.query {
				return isChanged
			}
			return isDuplicate
		}
	}
	if m.going[one.order] != nil {
		return waits
	}
	return goes
}

func (m *duplicatesMachine) come(t *rapid.T) {
	order := fmt.Sprint(rapid.IntRange(0, 3).Draw(t, "order"))
	query := fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "query"))
	one := &record{m.comesAt(order, query, location{
		offset: int64(rapid.IntRange(0, 3).Draw(t, "offset")), partition: int32(rapid.IntRange(0, 1).Draw(t, "partition")),
	}), order, query}
	if rapid.IntRange(0, 9).Draw(t, "lost") == 0 {
		m.leave(one.candidate)
		require.Equal(t, waits, m.enter(one.candidate))
		return
	}
	expected := m.expected(one)
	if expected == goes {
		m.going[order] = one
	}
	m.here = append(m.here, one)
	require.Equal(t, expected, m.enter(one.candidate))
	if expected == isDuplicate || expected == isChanged {
		m.leaveAt(t, len(m.here)-1, false)
	}
}

func (m *duplicatesMachine) acknowledgeOne(t *rapid.T) { m.end(t, true) }
func (m *duplicatesMachine) leaveOne(t *rapid.T)       { m.end(t, false) }

func (m *duplicatesMachine) end(t *rapid.T, acknowledged bool) {
	if len(m.here) == 0 {
		t.Skip("nobody is here")
	}
	m.leaveAt(t, rapid.IntRange(0, len(m.here)-1).Draw(t, "candidate"), acknowledged)
}

// leaveAt ends a candidate, acknowledged if it may be sent. The others must be told what the contract says, in the
// order in which they came.
func (m *duplicatesMachine) leaveAt(t *rapid.T, at int, acknowledged bool) {
	one := m.here[at]
	m.here = slices.Delete(m.here, at, at+1)
	expected := map[*candidate]answer{}
	if m.going[one.order] == one {
		if acknowledged {
			m.acknowledged = append(m.acknowledged, one)
		}
		delete(m.going, one.order)
		for _, other := range m.here {
			if other.order != one.order {
				continue
			}
			now := m.expected(other)
			if now == waits {
				continue
			}
			if now == goes {
				m.going[one.order] = other
			}
			expected[other.candidate] = now
		}
		if acknowledged {
			m.acknowledge(one.candidate)
		}
	}
	m.leave(one.candidate)
	if rapid.Bool().Draw(t, "twice") {
		m.leave(one.candidate)
	}
	require.Equal(t, expected, m.heard())
	m.here = slices.DeleteFunc(m.here, func(other *record) bool {
		told, heard := expected[other.candidate]
		if heard && told != goes {
			m.leave(other.candidate)
			return true
		}
		return false
	})
}

func (m *duplicatesMachine) observe(t *rapid.T) {
	require.Empty(t, m.heard(), "told without a reason")
	require.Equal(t, len(m.going), len(m.underWay))
	for order := range maps.Values(m.going) {
		require.Same(t, order.candidate, m.underWay[order.candidate.order].first)
	}
	require.LessOrEqual(t, len(m.duplicates.acknowledged), m.limit)
	require.LessOrEqual(t, len(m.known), m.limit)
}
