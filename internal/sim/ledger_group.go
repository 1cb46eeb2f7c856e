//go:build synctests

package sim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// checkCommits demands that nobody committed what another one owned, or an order that had no outcome yet.
func (l *ledger) checkCommits() {
	byPartition := map[int32][]*shopper{}
	for _, s := range l.shoppers {
		if s.produced {
			byPartition[s.place.partition] = append(byPartition[s.place.partition], s)
		}
	}
	for _, c := range l.commits {
		if c.owner != "" && c.relay != c.owner {
			l.found(commitDiscipline, "%s committed partition %d up to %d at %v, when it was %s's", c.relay, c.partition, c.offset, l.since(c.at), c.owner)
		}
		if c.relay == "" {
			continue // where the group starts, before anybody was in it
		}
		for _, s := range byPartition[c.partition] {
			if s.place.offset >= c.offset || l.wasRemoved(s.place) {
				continue
			}
			if !slices.ContainsFunc(l.outcomes[s.place], func(o written) bool { return o.at.offset < c.outcomes[o.at.partition] }) {
				l.found(commitDiscipline, "%s committed partition %d up to %d at %v, when %s (%s) at %d had no outcome", c.relay, c.partition, c.offset, l.since(c.at),
					s.id, s.kind, s.place.offset)
			}
		}
	}
}

// disturbance is a moment at which a relay may have had orders in hand that the next one must do again.
type disturbance struct {
	at  time.Time
	why string
}

// disturbances of a relay: it crashed, lost partitions or its line, or handed partitions over while Kafka was in trouble,
// so that what it had done could not be written down in time.
func (l *ledger) disturbances(u *unit) []disturbance {
	var all []disturbance
	if u.crashed {
		all = append(all, disturbance{u.told, "crashed"})
	}
	for _, away := range u.away {
		all = append(all, disturbance{away.from, "was cut off"})
	}
	handovers := u.log.when(partitionsRevoked)
	if !u.told.IsZero() {
		handovers = append(handovers, moment{at: u.told, what: "stopped"})
	}
	bare := u.bareSince()
	for _, m := range handovers {
		if !bare.IsZero() && !m.at.Before(bare) {
			all = append(all, disturbance{m.at, m.what + " without metadata"})
			continue
		}
		for _, trouble := range l.troubled {
			// A client that was in trouble may go on trying for a while.
			if trouble.meets(m.at.Add(-aftermath), m.at.Add(l.options.Drain+commitGrace)) {
				all = append(all, disturbance{m.at, m.what + " while Kafka was in trouble"})
				break
			}
		}
	}
	for _, m := range u.log.when(partitionsLost) {
		all = append(all, disturbance{m.at, m.what})
	}
	return all
}

// bareSince is when a relay's metadata was refused, zero when it never was. Such a relay sends less from then on, or none:
// orders that are done behind one that is not may be done again by the next owner.
func (u *unit) bareSince() time.Time {
	for _, m := range u.log.when(commitFailed) {
		if strings.Contains(m.err, kerr.OffsetMetadataTooLarge.Message) {
			return m.at
		}
	}
	return time.Time{}
}

// takenBack tells whether a commit before the second request no longer said that an order is done, as its relay sends less
// metadata, or none. That relay need not be the one that had done the order: it may have heard so from its metadata.
func (l *ledger) takenBack(s *shopper, again request) bool {
	var known, taken bool
	for _, c := range l.commits {
		if c.partition != s.place.partition || !c.at.Before(again.at) {
			continue
		}
		if c.covers(s.place.offset) {
			known, taken = true, false
			continue
		}
		taken = known && slices.ContainsFunc(l.all(), func(u *unit) bool {
			bare := u.bareSince()
			return u.name == c.relay && !bare.IsZero() && !c.at.Before(bare)
		})
	}
	return taken
}

// aftermath is how long after Kafka's recovery its clients may still wait before they try again.
const aftermath = 15 * time.Second

// inHand are the orders that a relay had asked CJ to take by the time of a disturbance, and of which the group does not
// know from it that they are done.
func (l *ledger) inHand(u *unit, d disturbance) map[string]bool {
	hand := map[string]bool{}
	for _, s := range l.shoppers {
		if !s.produced || !slices.ContainsFunc(l.received[s.id], func(r request) bool { return r.relay == u.name && !r.at.After(d.at.Add(l.options.Drain)) }) {
			continue
		}
		// Only the latest commit counts: one without metadata takes back what those before it said.
		known := false
		for _, c := range l.commits {
			if c.relay == u.name && c.partition == s.place.partition && c.at.Before(d.at) {
				known = c.covers(s.place.offset)
			}
		}
		if !known {
			hand[s.id] = true
		}
	}
	return hand
}

// checkDuplicates demands that an order was acknowledged again only where the relay before was disturbed with the order
// in hand, or never got the answer. It returns how often that was, and how often it could have been.
func (l *ledger) checkDuplicates() (duplicates, bound int) {
	hands := map[string]map[string]bool{}
	for _, u := range l.all() {
		mine := map[string]bool{}
		for _, d := range l.disturbances(u) {
			maps.Copy(mine, l.inHand(u, d))
		}
		hands[u.name] = mine
		bound += len(mine)
	}
	for _, s := range l.shoppers {
		acknowledged := slices.DeleteFunc(slices.Clone(l.received[s.id]), func(r request) bool { return !r.acknowledged() })
		for i := 1; i < len(acknowledged); i++ {
			before, again := acknowledged[i-1], acknowledged[i]
			duplicates++
			switch other := before.relay != again.relay; {
			case other && hands[before.relay][s.id]:
			case other && (l.outlived(before) || l.outlived(again) || l.takenBack(s, again)), l.unheard(before):
				bound++
			default:
				l.found(boundedDuplicates, "%s (%s) was acknowledged to %s at %v, and to %s again at %v, which no disturbance explains", s.id, s.kind,
					before.relay, l.since(before.ended), again.relay, l.since(again.ended))
			}
		}
	}
	return duplicates, bound
}

// outlived tells whether a relay made a request for partitions that it had lost without knowing: it could hear of that
// only when its line was back and its requests to Kafka had timed out.
func (l *ledger) outlived(r request) bool {
	for _, u := range l.all() {
		if u.name != r.relay || len(u.away) == 0 {
			continue
		}
		for _, m := range u.log.when(partitionsLost) {
			if r.at.Before(m.at) && m.at.Sub(r.at) < l.options.SessionTimeout+l.options.RebalanceTimeout {
				return true
			}
		}
	}
	return false
}

// unheard tells whether the line was away when a request was answered.
func (l *ledger) unheard(r request) bool {
	for _, u := range l.all() {
		if u.name == r.relay && slices.ContainsFunc(u.away, func(i interval) bool { return i.meets(r.at.Add(-l.options.Delay), r.ended.Add(l.options.Delay)) }) {
			return true
		}
	}
	return false
}

// checkGroups demands that a relay lost partitions only where something had happened to it or to Kafka: waiting for CJ is
// no reason.
func (l *ledger) checkGroups() {
	for _, u := range l.all() {
		for _, m := range u.log.when(partitionsLost) {
			from := m.at.Add(-l.options.SessionTimeout - aftermath)
			excused := u.crashed
			for _, i := range slices.Concat(u.away, l.troubled) {
				excused = excused || i.meets(from, m.at)
			}
			if !excused {
				l.found(breakerHolds, "%s lost partitions at %v, when nothing had happened to it", u.name, l.since(m.at))
			}
		}
	}
}
