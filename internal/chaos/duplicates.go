package chaos

import (
	"cmp"
	"time"
)

// inHand are the orders that a process had asked CJ to take by the end of a disturbance, and of which the group did
// not know at its beginning that they are done: those in flight, and those acknowledged since the last commit.
func (b *Books) inHand(d Disturbance, orders map[string]*Order) map[string]bool {
	position := map[int32]Commit{}
	over := b.takenOver(d.Relay, d.At)
	for _, c := range b.Commits {
		if at, is := over[c.Partition]; !c.At.After(d.At) && (!is || !c.At.After(at)) {
			position[c.Partition] = c
		}
	}
	hand := map[string]bool{}
	for _, r := range b.Requests {
		if r.Relay != d.Relay || !d.Until.IsZero() && r.Arrived.After(d.Until) {
			continue
		}
		// An order that came later is none of those that were disturbed.
		o := orders[r.OrderID]
		if o != nil && !o.Made.After(d.At) && !position[o.Place.Partition].covers(o.Place.Offset) {
			hand[r.OrderID] = true
		}
	}
	return hand
}

// takenOver is since when another process has had the partitions that one has had, up to a time: what the new owner
// commits is none of the old one's.
func (b *Books) takenOver(relay string, until time.Time) map[int32]time.Time {
	over := map[int32]time.Time{}
	had := map[int32]bool{}
	for _, g := range b.Generations {
		if g.At.After(until) {
			break
		}
		for partition, owner := range g.Owners {
			_, is := over[partition]
			switch {
			case owner == relay:
				had[partition] = true
				delete(over, partition)
			case had[partition] && !is:
				over[partition] = g.At
			}
		}
	}
	return over
}

func (b *Books) byID() map[string]*Order {
	orders := map[string]*Order{}
	for _, o := range b.Orders {
		orders[o.ID] = o
	}
	return orders
}

// auditDuplicates demands that an order was acknowledged again only where a process that was disturbed had it in hand.
func (b *Books) auditDuplicates(l *Ledger, requests map[string][]Request) {
	orders := b.byID()
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
			for id := range b.inHand(d, orders) {
				if hands[d.Relay][id] == Unexplained {
					hands[d.Relay][id] = cause
					l.BoundBy[cause]++
					l.Bound++
				}
			}
		}
	}
	for _, o := range b.Orders {
		var before *Request
		for i := range requests[o.ID] {
			again := &requests[o.ID][i]
			if !again.Acknowledged() {
				continue
			}
			if before != nil {
				l.Duplicates++
				cause := cmp.Or(hands[before.Relay][o.ID], hands[again.Relay][o.ID])
				l.DuplicatesBy[cause]++
				if cause == Unexplained {
					l.find("%s at %v was acknowledged to %s at %s and to %s at %s, which no disturbance explains", o.ID, o.Place,
						before.Relay, before.Ended.Format(clock), again.Relay, again.Ended.Format(clock))
				}
			}
			before = again
		}
	}
}
