//go:build synctests

package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// ledger is what was found after a run, sorted by order.
type ledger struct {
	*world
	// outcomes are those of every place, letters its dead letters, in the order they were written.
	outcomes map[place][]written
	letters  map[place][]*kgo.Record
	// received are the requests for an order id, judged are the same ones as CJ judges them.
	received map[string][]request
	judged   map[string][]cjtest.Received
	commits  []*commit
}

// written is an outcome and where it stands.
type written struct {
	schema.OutcomeRecord
	at place
}

// audit compares everything with everything, and returns the sums in a line.
func (w *world) audit() string {
	l := &ledger{world: w, outcomes: map[place][]written{}, letters: map[place][]*kgo.Record{}, received: map[string][]request{},
		judged: map[string][]cjtest.Received{}, commits: w.watch.accepted()}
	l.collect()
	lost := 0
	for _, s := range w.shoppers {
		if !s.produced {
			continue
		}
		if len(l.outcomes[s.place]) == 0 && l.wasRemoved(s.place) {
			lost++
			continue
		}
		l.checkOutcome(s)
		l.checkRepeat(s)
		l.checkRequests(s)
		l.checkLetter(s)
	}
	l.checkStrangers()
	l.checkRetention(lost)
	l.checkCommits()
	duplicates, bound := l.checkDuplicates()
	l.checkBreakers()
	l.checkGroups()
	l.checkSecrets()
	return fmt.Sprintf("%d orders, %d requests, %d relays, %d commits; %d duplicates of at most %d; %d lost to retention",
		len(w.shoppers), len(w.cj.all()), len(w.units)-1, len(l.commits), duplicates, bound, lost)
}

// wasRemoved tells whether retention took an order before it was committed.
func (l *ledger) wasRemoved(at place) bool {
	return slices.ContainsFunc(l.removed, func(r removal) bool { return r.partition == at.partition && r.from <= at.offset && at.offset < r.to })
}

// collect sorts what there is.
func (l *ledger) collect() {
	for _, r := range l.read(l.config.Outcomes.Topic) {
		outcome, err := schema.DecodeOutcome(r.Value)
		require.NoError(l.t, err)
		at := place{outcome.Partition, outcome.Offset}
		l.outcomes[at] = append(l.outcomes[at], written{outcome, place{r.Partition, r.Offset}})
	}
	for _, r := range l.read(l.config.DeadLetter.Topic) {
		partition, err := strconv.Atoi(header(r, "cjrelay-partition"))
		require.NoError(l.t, err)
		offset, err := strconv.ParseInt(header(r, "cjrelay-offset"), 10, 64)
		require.NoError(l.t, err)
		at := place{int32(partition), offset}
		l.letters[at] = append(l.letters[at], r)
	}
	for _, r := range l.cj.all() {
		id := orderID(r.query)
		l.received[id] = append(l.received[id], r)
	}
	for _, r := range l.cj.Received() {
		l.judged[r.OrderID] = append(l.judged[r.OrderID], r)
	}
}

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// orderID finds the order id in a query. Ours have no characters that are escaped.
func orderID(query string) string {
	_, after, _ := strings.Cut(query, "&OID=")
	id, _, _ := strings.Cut(after, "&")
	return id
}

// checkOutcome demands one way for an order to end, and the right one.
func (l *ledger) checkOutcome(s *shopper) {
	ends := l.outcomes[s.place]
	if len(ends) == 0 {
		l.found(noLoss, "%s (%s) at %v has no outcome", s.id, s.kind, s.place)
		return
	}
	late := s.orLate && ends[0].Outcome == schema.Acknowledged && ends[0].Reason == schema.ReasonJoined && !ends[0].At.Before(s.lateAt.Truncate(time.Millisecond))
	for _, o := range ends {
		switch {
		case o.Outcome == s.ends && o.Reason == s.reason && (o.CJEvent == s.click || s.orLate):
		case late && o.Outcome == schema.Acknowledged && o.CJEvent == s.click:
		case s.orLate && len(ends) > 1:
			// Judged twice, with the click between.
		default:
			l.found(rightOutcome, "%s (%s) ended as %s, %s at %v, and should have as %s, %s", s.id, s.kind, o.Outcome, o.Reason, l.since(o.At), s.ends, s.reason)
		}
		if o.Outcome == schema.Acknowledged && !slices.ContainsFunc(l.received[s.id], func(r request) bool { return r.acknowledged() }) {
			l.found(noLoss, "%s (%s) counts as acknowledged, and CJ never did", s.id, s.kind)
		}
	}
}

// checkRepeat demands that an order that came again counts as a duplicate.
func (l *ledger) checkRepeat(s *shopper) {
	if !s.repeats {
		return
	}
	if ends := l.outcomes[s.again]; len(ends) != 1 || ends[0].Outcome != schema.Duplicate || ends[0].Reason != schema.ReasonRepeated {
		l.found(rightOutcome, "%s (%s) came again at %v and did not count as a duplicate once", s.id, s.kind, s.again)
	}
}

// checkRequests compares what CJ received for an order.
func (l *ledger) checkRequests(s *shopper) {
	requests := l.received[s.id]
	ends := l.outcomes[s.place]
	if len(ends) == 0 {
		return
	}
	for _, r := range requests {
		if r.query != requests[0].query {
			l.found(sameQuery, "%s (%s) was sent in other words at %v than at %v", s.id, s.kind, l.since(r.at), l.since(requests[0].at))
		}
	}
	for _, r := range l.judged[s.id] {
		if r.Verdict == cjtest.Refused {
			l.found(rightOutcome, "CJ would refuse %s (%s): %v", s.id, s.kind, r.Problems)
		}
		if r.Total != s.pays {
			l.found(rightOutcome, "%s (%s) was sent with a total of %s, not %s", s.id, s.kind, r.Total, s.pays)
		}
		if r.ClickID != s.click {
			l.found(rightOutcome, "%s (%s) was sent with another click", s.id, s.kind)
		}
	}
	// What a relay tried while its line was cut never reached CJ.
	cut := slices.ContainsFunc(l.units, func(u *unit) bool { return len(u.away) > 0 })
	for _, o := range ends {
		if o.Attempts > len(requests) && !cut {
			l.found(breakerHolds, "%s (%s) has %d attempts and CJ %d requests: what was never sent counts as attempted", s.id, s.kind, o.Attempts, len(requests))
		}
		if len(requests) == 0 || o.Attempts == 0 {
			continue
		}
		if sum := sha256.Sum256([]byte(requests[0].query)); o.QuerySHA256 != hex.EncodeToString(sum[:]) {
			l.found(sameQuery, "the outcome of %s (%s) has the hash of another query", s.id, s.kind)
		}
	}
	if s.ends != schema.Acknowledged && !s.orLate && s.reason != schema.ReasonRejected && len(requests) > 0 {
		l.found(rightOutcome, "%s (%s) should not have been sent", s.id, s.kind)
	}
}

// checkLetter demands the original order in the dead-letter topic, or nothing.
func (l *ledger) checkLetter(s *shopper) {
	letters, ends := l.letters[s.place], l.outcomes[s.place]
	if len(ends) == 0 {
		return
	}
	if dead := ends[0].Outcome == schema.DeadLetter; dead != (len(letters) > 0) {
		l.found(wholeDeadLetter, "%s (%s) ended as %s with %d dead letters", s.id, s.kind, ends[0].Outcome, len(letters))
	}
	for _, r := range letters {
		if string(r.Key) != string(s.key) || string(r.Value) != string(s.value) {
			l.found(wholeDeadLetter, "the dead letter of %s (%s) does not have its bytes", s.id, s.kind)
		}
		if header(r, "trace") != s.id {
			l.found(wholeDeadLetter, "the dead letter of %s (%s) does not have its own header", s.id, s.kind)
		}
		if header(r, "cjrelay-reason") != string(ends[0].Reason) || header(r, "cjrelay-topic") != l.config.Orders.Topic || header(r, "cjrelay-error") == "" ||
			header(r, "cjrelay-attempts") == "" || header(r, "cjrelay-status") == "" || header(r, "cjrelay-at") == "" || header(r, "cjrelay-version") == "" {
			l.found(wholeDeadLetter, "the dead letter of %s (%s) lacks a header, or has a wrong one", s.id, s.kind)
		}
	}
}

// checkStrangers finds outcomes, dead letters and requests of no order.
func (l *ledger) checkStrangers() {
	places, ids := map[place]bool{}, map[string]bool{}
	for _, s := range l.shoppers {
		if s.produced {
			places[s.place], ids[s.id] = true, true
			if s.repeats {
				places[s.again] = true
			}
		}
	}
	for at := range l.outcomes {
		if !places[at] {
			l.found(rightOutcome, "there is an outcome of %v, where no order is", at)
		}
	}
	for at := range l.letters {
		if !places[at] {
			l.found(wholeDeadLetter, "there is a dead letter of %v, where no order is", at)
		}
	}
	for id, requests := range l.received {
		if !ids[id] {
			l.found(rightOutcome, "CJ received %q %d times, which was never confirmed", id, len(requests))
		}
	}
}

// checkRetention demands that the relays have said what retention took.
func (l *ledger) checkRetention(lost int) {
	said := 0
	for _, u := range l.all() {
		said += int(u.gauge("cjrelay_lost_to_retention_total"))
	}
	if said < lost {
		l.found(noLoss, "retention took %d orders, and the relays speak of %d", lost, said)
	}
}
