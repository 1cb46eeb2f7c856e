package demo

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// goodBooks are the books of a demo in which everything went as it should. They are made from the truth alone;
// no relay had a hand in them.
func goodBooks(orders int) *books {
	b := &books{seed: 5, start: noon, endings: map[place][]ending{}, letters: map[place][]deadLetter{}, uncommitted: map[int32]int64{0: 0, 1: 0}}
	crowd := newCrowd(b.seed)
	for i := range orders {
		s, at := crowd.shopper(i, noon), place{int32(i % 2), int64(i / 2)}
		b.places = append(b.places, at)
		b.endings[at] = []ending{{s.kind, s.reason, s.clickID}}
		if s.kind == schema.DeadLetter {
			b.letters[at] = []deadLetter{{string(s.reason), []byte(s.order.id), s.value}}
		}
		received := cjtest.Received{OrderID: s.order.id, Total: s.order.total().String(), Query: query(s.order.parameters(s.clickID))}
		switch {
		case s.kind == schema.Acknowledged:
			failed := received
			failed.Status, failed.Verdict = 503, cjtest.Valid
			received.Status, received.Verdict = 200, cjtest.Valid
			b.received = append(b.received, failed, received)
		case s.reason == schema.ReasonRejected:
			received.Status, received.Verdict = 400, cjtest.Refused
			b.received = append(b.received, received)
		}
	}
	return b
}

func query(parameters map[string]string) string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(parameters)) {
		pairs = append(pairs, strings.ToUpper(name)+"="+url.QueryEscape(parameters[name]))
	}
	return strings.Join(pairs, "&")
}

// first is the number of the first shopper of a kind, and the index of its acknowledged postback.
func (b *books) first(kind schema.Kind) (shopper int, place place) {
	crowd := newCrowd(b.seed)
	for i, at := range b.places {
		s := crowd.shopper(i, b.start)
		if s.kind == kind && s.reason != schema.ReasonRejected {
			return i, at
		}
	}
	panic("no such shopper")
}

// alter changes both attempts of a shopper's postback.
func (b *books) alter(shopper int, change func(r *cjtest.Received)) {
	id := newCrowd(b.seed).orderID(shopper)
	for i := range b.received {
		if b.received[i].OrderID == id {
			change(&b.received[i])
		}
	}
}

// drop removes what CJ acknowledged of a shopper.
func (b *books) drop(shopper int) {
	id := newCrowd(b.seed).orderID(shopper)
	b.received = slices.DeleteFunc(b.received, func(r cjtest.Received) bool { return r.OrderID == id && r.Status == 200 })
}

func TestGoodBooksAreClean(t *testing.T) {
	t.Parallel()
	l := audit(goodBooks(deckSize))
	require.Empty(t, l.findings)
	require.True(t, l.Clean())
	require.Zero(t, l.Duplicates)
	require.Equal(t, deckSize, l.Orders)
	require.Equal(t, l.WithClick, l.Acknowledged)
	require.Equal(t, l.Orders, l.Acknowledged+l.Unattributed+l.DeadLetter)
	require.Positive(t, l.Unattributed)
	require.Positive(t, l.DeadLetter)
}

func TestDoctoredBooksAreNotClean(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		doctor                  func(b *books)
		lost, wrong, duplicates int
	}{
		"PostbackMissing": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.drop(i)
		}, 1, 0, 0},
		"AcknowledgedTwice": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.received = append(b.received, b.received[slices.IndexFunc(b.received, func(r cjtest.Received) bool {
				return r.OrderID == newCrowd(b.seed).orderID(i) && r.Status == 200
			})])
		}, 0, 0, 1},
		"AnotherAmount": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) {
				r.Query = strings.NewReplacer("AMT1=", "AMT1=1", "AMOUNT=", "AMOUNT=1").Replace(r.Query)
			})
		}, 0, 1, 0},
		"AnotherTotal": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) { r.Total = "1" + r.Total })
		}, 0, 1, 0},
		"AnotherClick": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) { r.Query = strings.Replace(r.Query, "CJEVENT=", "CJEVENT=0", 1) })
		}, 0, 1, 0},
		"AnotherCurrency": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) { r.Query = strings.Replace(r.Query, "CURRENCY=", "CURRENCY=X", 1) })
		}, 0, 1, 0},
		"AnotherAccount": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) { r.Query = strings.Replace(r.Query, "CID=", "CID=9", 1) })
		}, 0, 1, 0},
		"ParameterTooMany": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) { r.Query += "&TAXAMOUNT=1.00" })
		}, 0, 1, 0},
		"ParameterMissing": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) { r.Query = strings.Replace(r.Query, "&METHOD=S2S", "", 1) })
		}, 0, 1, 0},
		"AttemptsDiffer": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) {
				if r.Status == 200 {
					r.Query = strings.Replace(r.Query, "METHOD=S2S", "method=S2S", 1)
				}
			})
		}, 0, 1, 0},
		"RefusedByCJ": {func(b *books) {
			i, _ := b.first(schema.Acknowledged)
			b.alter(i, func(r *cjtest.Received) { r.Verdict = cjtest.Refused })
		}, 0, 1, 0},
		"UnattributedSent": {func(b *books) {
			i, _ := b.first(schema.Unattributed)
			s := newCrowd(b.seed).shopper(i, b.start)
			b.received = append(b.received, cjtest.Received{OrderID: s.order.id, Status: 200, Verdict: cjtest.Valid, Query: query(s.order.parameters("abc"))})
		}, 0, 1, 0},
		"OrderThatNobodyMade": {func(b *books) {
			b.received = append(b.received, cjtest.Received{OrderID: "ORD-1", Status: 200, Verdict: cjtest.Valid})
		}, 0, 1, 0},
		"NoOutcome": {func(b *books) {
			_, at := b.first(schema.Unattributed)
			delete(b.endings, at)
		}, 1, 0, 0},
		"AnotherOutcome": {func(b *books) {
			_, at := b.first(schema.Unattributed)
			b.endings[at] = []ending{{schema.DeadLetter, schema.ReasonMalformed, ""}}
		}, 0, 1, 0},
		"AnotherReason": {func(b *books) {
			_, at := b.first(schema.Unattributed)
			b.endings[at] = []ending{{schema.Unattributed, "another", ""}}
		}, 0, 1, 0},
		"AnotherClickInTheOutcome": {func(b *books) {
			_, at := b.first(schema.Acknowledged)
			b.endings[at][0].clickID = "abc"
		}, 0, 1, 0},
		"TwoOutcomesThatDiffer": {func(b *books) {
			_, at := b.first(schema.Acknowledged)
			b.endings[at] = append(b.endings[at], ending{schema.Unattributed, schema.ReasonNoClick, ""})
		}, 0, 1, 0},
		"DeadLetterMissing": {func(b *books) {
			_, at := b.first(schema.DeadLetter)
			delete(b.letters, at)
		}, 1, 0, 0},
		"DeadLetterWithOtherBytes": {func(b *books) {
			_, at := b.first(schema.DeadLetter)
			b.letters[at][0].value = append(slices.Clone(b.letters[at][0].value), ' ')
		}, 1, 0, 0},
		"DeadLetterWithAnotherReason": {func(b *books) {
			_, at := b.first(schema.DeadLetter)
			b.letters[at][0].reason = "another"
		}, 0, 1, 0},
		"GoodOrderAmongDeadLetters": {func(b *books) {
			_, at := b.first(schema.Acknowledged)
			b.letters[at] = []deadLetter{{"malformed", nil, nil}}
		}, 0, 1, 0},
		"RecordThatDoesNotBelong": {func(b *books) { b.strange = []string{"outcomes[0]@0: not JSON"} }, 0, 1, 0},
		"NotCommitted":            {func(b *books) { b.uncommitted[1] = 3 }, 0, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := goodBooks(deckSize)
			test.doctor(b)
			l := audit(b)
			require.Equal(t, []int{test.lost, test.wrong, test.duplicates}, []int{l.Lost, l.Wrong, l.Duplicates}, "%v", l.findings)
			require.Equal(t, test.lost+test.wrong == 0, l.Clean())
			require.Len(t, l.findings, test.lost+test.wrong)
		})
	}
}

func TestNullValueIsNotAnEmptyOne(t *testing.T) {
	t.Parallel()
	b, crowd := goodBooks(deckSize), newCrowd(5)
	for i, at := range b.places {
		if crowd.shopper(i, noon).scenario == "a null value" {
			b.letters[at][0].value = []byte{}
		}
	}
	require.Equal(t, 1, audit(b).Lost)
}

func TestFindingsShowNoClickID(t *testing.T) {
	t.Parallel()
	b := goodBooks(deckSize)
	i, _ := b.first(schema.Acknowledged)
	b.alter(i, func(r *cjtest.Received) { r.Query = strings.Replace(r.Query, "CJEVENT=", "CJEVENT=SECRET", 1) })
	require.NotContains(t, strings.Join(audit(b).findings, "\n"), "SECRET")
}
