package replay

import (
	"maps"

	"github.com/cjrelay/cjrelay/schema"
)

// Tally counts orders by what a replay makes of them. Each order is in one of the counts; Orders is their sum.
type Tally struct {
	// Orders is how many records there are. ToDo is how many of them the replay does; the others it leaves as they are.
	Orders int64 `json:"orders"`
	ToDo   int64 `json:"to_do"`
	// Send would be sent for the first time, by where the click comes from.
	Send map[schema.Reason]int64 `json:"send"`
	// Again would be sent once more, in the words that CJ has acknowledged; Changed in other words, or not at all any
	// more. Acknowledged are the ones that are left as they are because CJ has them.
	Again        int64 `json:"again"`
	Changed      int64 `json:"changed"`
	Acknowledged int64 `json:"acknowledged"`
	// Unattributed have no click, by reason, and DeadLetters cannot be sent.
	Unattributed map[schema.Reason]int64 `json:"unattributed"`
	DeadLetters  map[schema.Reason]int64 `json:"dead_letters"`
	// Repeated are further records of orders in Send: they end as duplicates. Other could be sent, and are not asked for.
	Repeated int64 `json:"repeated"`
	Other    int64 `json:"other"`
	// Waiting is how many of those in Send wait in the dead-letter topic, too.
	Waiting int64 `json:"waiting"`
}

func newTally() *Tally {
	return &Tally{Send: map[schema.Reason]int64{}, Unattributed: map[schema.Reason]int64{}, DeadLetters: map[schema.Reason]int64{}}
}

// add takes in another tally.
func (t *Tally) add(other *Tally) {
	t.Orders += other.Orders
	t.ToDo += other.ToDo
	t.Again += other.Again
	t.Changed += other.Changed
	t.Acknowledged += other.Acknowledged
	t.Repeated += other.Repeated
	t.Other += other.Other
	t.Waiting += other.Waiting
	for _, both := range []struct{ to, from map[schema.Reason]int64 }{
		{t.Send, other.Send}, {t.Unattributed, other.Unattributed}, {t.DeadLetters, other.DeadLetters},
	} {
		for reason, n := range both.from {
			both.to[reason] += n
		}
	}
}

// Sum is the sum of counts by reason.
func Sum(counts map[schema.Reason]int64) (n int64) {
	for count := range maps.Values(counts) {
		n += count
	}
	return n
}
