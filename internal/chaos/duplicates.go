package chaos

import (
	"cmp"
	"maps"
	"slices"
)

// inHand are the orders that a process had asked CJ to take by the end of a disturbance, and of which the group did
// not know at its beginning that they are done: those in flight, and those acknowledged since the last commit.
func (b *Books) inHand(d Disturbance, places map[string]Place) map[string]bool {
	position := map[int32]Commit{}
	for _, c := range b.Commits {
		if !c.At.After(d.At) {
			position[c.Partition] = c
		}
	}
	hand := map[string]bool{}
	for _, r := range b.Requests {
		if r.Relay != d.Relay || !d.Until.IsZero() && r.Arrived.After(d.Until) {
			continue
		}
		if at, known := places[r.OrderID]; known && !position[at.Partition].covers(at.Offset) {
			hand[r.OrderID] = true
		}
	}
	return hand
}

// auditDuplicates demands that an order was acknowledged again only where a process that was disturbed had it in hand.
func (b *Books) auditDuplicates(l *Ledger, requests map[string][]Request) {
	places := map[string]Place{}
	for _, o := range b.Orders {
		places[o.ID] = o.Place
	}
	// hands is, by process and order, what excuses that the order was sent again.
	hands := map[string]map[string]Cause{}
	for _, cause := range Causes {
		for _, d := range b.Disturbances {
			if d.Why != cause {
				continue
			}
			if hands[d.Relay] == nil {
				hands[d.Relay] = map[string]Cause{}
			}
			// An order counts once for a process, by the first cause.
			for id := range b.inHand(d, places) {
				if hands[d.Relay][id] == Unexplained {
					hands[d.Relay][id] = cause
					l.BoundBy[cause]++
					l.Bound++
				}
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(requests)) {
		var before *Request
		for i := range requests[id] {
			again := &requests[id][i]
			if !again.Acknowledged() {
				continue
			}
			if before != nil {
				l.Duplicates++
				cause := cmp.Or(hands[before.Relay][id], hands[again.Relay][id])
				l.DuplicatesBy[cause]++
				if cause == Unexplained {
					l.find("%s at %v was acknowledged to %s at %s and to %s at %s, which no disturbance explains", id, places[id],
						before.Relay, before.Ended.Format(clock), again.Relay, again.Ended.Format(clock))
				}
			}
			before = again
		}
	}
}
