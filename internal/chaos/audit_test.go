package chaos

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// start is when the books below begin; everything in them happens a second apart.
var start = time.Date(2026, 3, 27, 11, 0, 0, 0, time.UTC)

func second(n int) time.Time { return start.Add(time.Duration(n) * time.Second) }

// rightBooks are those of a run in which nothing went wrong: one process sent every order that is to be sent, and
// committed all of them at the end.
func rightBooks() *Books {
	b := &Books{Outcomes: map[Place][]schema.OutcomeRecord{}, Letters: map[Place][]Letter{}, Left: map[int32]int64{0: 0}}
	lot := newLot(7)
	for i := range 60 {
		o := lot.draw(i, start)
		o.Place = Place{0, int64(i)}
		b.Orders = append(b.Orders, o)
		end := schema.OutcomeRecord{Outcome: o.Kind, Reason: o.Reason, CJEvent: o.Click, At: second(i)}
		if o.Kind == schema.Acknowledged || o.Reason == schema.ReasonRejected {
			r := Request{Relay: "relay-1", OrderID: o.ID, Query: "CID=1234567&OID=" + o.ID, Arrived: second(i), Ended: second(i), Status: 200}
			verdict := cjtest.Valid
			if o.Reason == schema.ReasonRejected {
				r.Status, verdict = 400, cjtest.Refused
			}
			b.Requests = append(b.Requests, r)
			b.Judged = append(b.Judged, cjtest.Received{OrderID: o.ID, ClickID: o.Click, Total: o.Total, Verdict: verdict})
			sum := sha256.Sum256([]byte(r.Query))
			end.QuerySHA256 = hex.EncodeToString(sum[:])
		}
		b.Outcomes[o.Place] = []schema.OutcomeRecord{end}
		if o.Kind == schema.DeadLetter {
			b.Letters[o.Place] = []Letter{{Reason: string(o.Reason), Trace: o.ID, Key: []byte(o.ID), Value: o.Value}}
		}
	}
	b.Commits = []Commit{{Partition: 0, Offset: 0, At: start}, {Partition: 0, Offset: 60, At: second(60)}}
	return b
}

// first is the first order that ends for a reason.
func (b *Books) first(reason schema.Reason) *Order {
	return b.Orders[slices.IndexFunc(b.Orders, func(o *Order) bool { return o.Reason == reason })]
}

// requestOf is where the request for an order is.
func (b *Books) requestOf(o *Order) int {
	return slices.IndexFunc(b.Requests, func(r Request) bool { return r.OrderID == o.ID })
}

// again has another process send an order once more.
func (b *Books) again(o *Order) {
	r := b.Requests[b.requestOf(o)]
	r.Relay, r.Arrived, r.Ended = "relay-2", second(100), second(100)
	b.Requests = append(b.Requests, r)
}

// metadata says that one offset above a committed one is done.
func metadata(committed, done uint64) string {
	body := binary.AppendUvarint(make([]byte, 4), committed)
	body = binary.AppendUvarint(binary.AppendUvarint(body, done-committed), 1)
	return "cj1." + base64.RawURLEncoding.EncodeToString(body)
}

func TestAuditOfARightRunIsClean(t *testing.T) {
	l := rightBooks().Audit()
	require.True(t, l.Clean(), "%v", l.Findings)
	require.Equal(t, 60, l.Orders)
	require.Equal(t, 60, l.Acknowledged+l.Unattributed+l.DeadLetters)
	for _, n := range []int{l.Acknowledged, l.Unattributed, l.DeadLetters} {
		require.Positive(t, n)
	}
	require.Zero(t, l.Bound)
}

// Each of these is a run that went wrong in one way. An audit that did not see it would be worth nothing.
func TestAuditSees(t *testing.T) {
	for name, test := range map[string]struct {
		damage func(*Books)
		// lost, wrong and unexplained are how often it must be seen.
		lost, wrong, unexplained int
		says                     string
	}{
		"AnOrderThatCJNeverGot": {lost: 1, says: "CJ never acknowledged it", damage: func(b *Books) {
			i := b.requestOf(b.first(schema.ReasonJoined))
			b.Requests = slices.Delete(b.Requests, i, i+1)
		}},
		"AnOrderThatCJDidNotAcknowledge": {lost: 1, says: "CJ never acknowledged it", damage: func(b *Books) {
			b.Requests[b.requestOf(b.first(schema.ReasonJoined))].Status = 503
		}},
		"AnOrderWithoutOutcome": {lost: 1, says: "it has no outcome", damage: func(b *Books) {
			delete(b.Outcomes, b.first(schema.ReasonNoClick).Place)
		}},
		"AMissingDeadLetter": {lost: 1, says: "it is not among the dead letters", damage: func(b *Books) {
			delete(b.Letters, b.first(schema.ReasonMalformed).Place)
		}},
		"ADeadLetterWithOtherBytes": {lost: 1, says: "does not have the original bytes", damage: func(b *Books) {
			b.Letters[b.first(schema.ReasonMalformed).Place][0].Value = []byte("{}")
		}},
		"ADeadLetterWithoutTheShopsHeader": {lost: 1, says: "does not have the original bytes", damage: func(b *Books) {
			b.Letters[b.first(schema.ReasonMalformed).Place][0].Trace = ""
		}},
		"AnotherQueryAtTheSecondAttempt": {wrong: 1, says: "its queries differ", damage: func(b *Books) {
			o := b.first(schema.ReasonJoined)
			b.again(o)
			b.Requests[len(b.Requests)-1].Query += "&DISCOUNT=1"
			b.Requests[len(b.Requests)-1].Status = 503
		}},
		"AnotherAmount": {wrong: 1, says: "CJ makes 0.01 of it", damage: func(b *Books) { b.Judged[0].Total = "0.01" }},
		"AnotherClick":  {wrong: 1, says: "CJ got another click", damage: func(b *Books) { b.Judged[0].ClickID = hexOf("other") }},
		"AnotherOutcome": {wrong: 1, says: "it ended as unattributed, no_click", damage: func(b *Books) {
			b.Outcomes[b.first(schema.ReasonJoined).Place][0] = schema.OutcomeRecord{Outcome: schema.Unattributed, Reason: schema.ReasonNoClick}
		}},
		"AnOrderThatShouldNotHaveBeenSent": {wrong: 1, says: "CJ acknowledged it, but it should end as unattributed", damage: func(b *Books) {
			b.Requests = append(b.Requests, Request{Relay: "relay-1", OrderID: b.first(schema.ReasonNoSession).ID, Status: 200})
			b.Outcomes[b.first(schema.ReasonNoSession).Place][0].QuerySHA256 = hex.EncodeToString(sha256.New().Sum(nil))
		}},
		"AnOrderThatNobodyConfirmed": {wrong: 1, says: "which was never confirmed", damage: func(b *Books) {
			b.Requests = append(b.Requests, Request{Relay: "relay-1", OrderID: "ORD-0", Status: 200})
		}},
		"ADuplicateThatNothingExplains": {unexplained: 1, says: "which no disturbance explains", damage: func(b *Books) {
			b.again(b.first(schema.ReasonJoined))
		}},
		"ADuplicateOfWhatWasCommittedBeforeTheKill": {unexplained: 1, says: "which no disturbance explains", damage: func(b *Books) {
			b.again(b.first(schema.ReasonJoined))
			b.Disturbances = []Disturbance{{"relay-1", Killed, second(70), second(70)}}
		}},
		"ADuplicateOfWhatTheMetadataSaysIsDone": {unexplained: 1, says: "which no disturbance explains", damage: func(b *Books) {
			o := b.first(schema.ReasonJoined)
			b.Commits = slices.Insert(b.Commits, 1, Commit{Partition: 0, Offset: 0, Metadata: metadata(0, uint64(o.Place.Offset)), At: second(int(o.Place.Offset))})
			b.again(o)
			b.Disturbances = []Disturbance{{"relay-1", Killed, second(59), second(59)}}
		}},
		"ADuplicateOfWhatAnotherOneHadInHand": {unexplained: 1, says: "which no disturbance explains", damage: func(b *Books) {
			b.again(b.first(schema.ReasonJoined))
			b.Disturbances = []Disturbance{{"relay-3", Killed, second(59), second(59)}}
		}},
		"ACommitThatWentBack": {wrong: 1, says: "and at 11:00:02.000 back to 3", damage: func(b *Books) {
			b.Commits = slices.Insert(b.Commits, 1, Commit{Partition: 1, Offset: 5, At: second(1)}, Commit{Partition: 1, Offset: 3, At: second(2)})
		}},
		"ACommitBeforeTheOutcome": {wrong: 1, says: "and had its first outcome at 11:00:59.000", damage: func(b *Books) {
			b.Commits[1].At = second(58)
		}},
		"OrdersThatAreDoneAndNotCommitted": {wrong: 1, says: "partition 0: 2 orders are done and not committed", damage: func(b *Books) {
			b.Left[0] = 2
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b := rightBooks()
			test.damage(b)
			l := b.Audit()
			require.False(t, l.Clean())
			require.Equal(t, []int{test.lost, test.wrong, test.unexplained}, []int{l.Lost, l.Wrong, l.DuplicatesBy[Unexplained]}, "%v", l.Findings)
			require.Len(t, l.Findings, 1)
			require.Contains(t, l.Findings[0], test.says)
		})
	}
}

// What a killed process had in hand may be sent again: the orders in flight, and those acknowledged since its last
// commit. The bound is how many these are.
func TestAuditCountsTheBound(t *testing.T) {
	b := rightBooks()
	b.Commits = slices.Insert(b.Commits, 1, Commit{Partition: 0, Offset: 20, Metadata: metadata(20, 40), At: second(45)})
	b.Disturbances = []Disturbance{{Relay: "relay-1", Why: Killed, At: second(50)}}
	want := 0
	for _, o := range b.Orders {
		sent := b.requestOf(o) >= 0
		if sent && o.Place.Offset >= 20 && o.Place.Offset != 40 {
			want++
			b.again(o)
		}
	}
	l := b.Audit()
	require.True(t, l.Clean(), "%v", l.Findings)
	require.Equal(t, want, l.Bound)
	require.Equal(t, want, l.BoundBy[Killed])
	require.Positive(t, l.Duplicates)
}

// What a new owner commits says nothing of what the old one knew to be done, which had lost its partitions long before
// it learned of that.
func TestAuditDoesNotCountTheNewOwnersCommits(t *testing.T) {
	b := rightBooks()
	b.Generations = []Generation{{start, map[int32]string{0: "relay-1"}}, {second(60), map[int32]string{0: "relay-2"}}}
	b.Commits[1].At = second(110)
	b.Disturbances = []Disturbance{{"relay-1", Lost, second(120), second(121)}}
	b.again(b.first(schema.ReasonJoined))
	l := b.Audit()
	require.True(t, l.Clean(), "%v", l.Findings)
	require.Equal(t, 1, l.DuplicatesBy[Lost])
	require.Equal(t, len(b.Requests)-1, l.BoundBy[Lost])
}
