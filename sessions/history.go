package sessions

import (
	"cmp"
	"slices"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// History is what a store knows of one session.
type History struct {
	// Clicks are ordered by the time of their capture.
	Clicks []schema.Click
	// Erased: a tombstone removed earlier clicks.
	Erased bool
	// Spoiled: at least one click could not be read.
	Spoiled bool
}

// MaxClicks is how many clicks of one session are kept from each partition; the oldest go first. A shopper has
// a few in 13 months. A machine that clicks all day under one session must not make every lookup of it, and
// every further click, dearer than the last.
const MaxClicks = 1000

// lineage is what one partition of the click topic says of a session. Only within a partition do records have
// an order, so a session's clicks stay apart by the partition they came from: the outcome must not depend on
// which partition happened to be read first.
type lineage struct {
	partition int32
	// clicks are ordered by time, and by arrival where that is the same.
	clicks  []schema.Click
	spoiled bool
	// erased: there was a tombstone, of which the latest has the time erasedAt. Nothing in this lineage is older than
	// it by offset.
	erased   bool
	erasedAt time.Time
}

// lineages are those of one session, ordered by partition.
type lineages []lineage

// apply takes one more record of a partition in. Records of the same partition must come in offset order;
// between partitions the order does not matter.
func (l lineages) apply(partition int32, change Change) lineages {
	at, known := slices.BinarySearchFunc(l, partition, func(of lineage, p int32) int { return cmp.Compare(of.partition, p) })
	if !known {
		l = slices.Insert(l, at, lineage{partition: partition})
	}
	of := &l[at]
	switch change.Kind {
	case Erase:
		// A tombstone of an earlier time must not take back what one before it erased in other partitions, and would
		// where those are read later.
		if of.erasedAt.After(change.At) {
			change.At = of.erasedAt
		}
		*of = lineage{partition: partition, erased: true, erasedAt: change.At}
	case Spoil:
		of.spoiled = true
	default:
		of.put(change.Click)
	}
	return l.erasing()
}

// put inserts a click. The same click again keeps the place of the first, so that it does not pass one of the
// same time that came between.
func (l *lineage) put(click schema.Click) {
	at, _ := slices.BinarySearchFunc(l.clicks, click.CapturedAt, func(c schema.Click, t time.Time) int {
		if c.CapturedAt.After(t) {
			return 1
		}
		return -1
	})
	for before := at - 1; before >= 0 && l.clicks[before].CapturedAt.Equal(click.CapturedAt); before-- {
		if l.clicks[before].ID == click.ID {
			return
		}
	}
	l.clicks = slices.Insert(l.clicks, at, click)
	if over := len(l.clicks) - MaxClicks; over > 0 {
		l.clicks = slices.Delete(l.clicks, 0, over)
	}
}

// follow appends what the same session's later records, folded in the same way, say. It is apply for many
// records at once, and may be done in any grouping: (a follow b) follow c is a follow (b follow c).
func (l lineages) follow(later lineages) lineages {
	for _, more := range later {
		if more.erased {
			l = l.apply(more.partition, Change{Kind: Erase, At: more.erasedAt})
		}
		if more.spoiled {
			l = l.apply(more.partition, Change{Kind: Spoil})
		}
		for _, click := range more.clicks {
			l = l.apply(more.partition, Change{Kind: Put, Click: click})
		}
	}
	return l
}

// erasing applies tombstones across partitions: partitions are added to a topic, and then a session's
// tombstone lies in another one than its older clicks. Where offsets cannot be compared times are, so a
// tombstone takes with it every click that was captured at or before its time in the other partitions.
func (l lineages) erasing() lineages {
	if len(l) == 1 {
		return l
	}
	for i := range l {
		if !l[i].erased {
			continue
		}
		for j := range l {
			if i != j {
				l[j].clicks = slices.DeleteFunc(l[j].clicks, func(c schema.Click) bool { return !c.CapturedAt.After(l[i].erasedAt) })
			}
		}
	}
	return l
}

// history is what the lineages say together. Clicks of the same time are ordered by partition. It shares the
// clicks of a single lineage.
func (l lineages) history() History {
	if len(l) == 1 {
		return History{Clicks: l[0].clicks, Erased: l[0].erased, Spoiled: l[0].spoiled}
	}
	var h History
	for _, of := range l {
		h.Erased = h.Erased || of.erased
		h.Spoiled = h.Spoiled || of.spoiled
		h.Clicks = append(h.Clicks, of.clicks...)
	}
	slices.SortStableFunc(h.Clicks, func(a, b schema.Click) int { return a.CapturedAt.Compare(b.CapturedAt) })
	return h
}
