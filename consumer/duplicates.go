package consumer

import (
	"crypto/sha256"
	"slices"
	"sync"
)

// duplicates finds orders that come more than once: the same order at another offset, while an earlier one is on
// its way to CJ, or after CJ has acknowledged one lately. It remembers the latest acknowledgements of this process,
// whichever partition they came from, and forgets the oldest; what it no longer knows CJ de-duplicates.
//
// It is safe for concurrent use. Candidates are told without a lock held.
type duplicates struct {
	mu sync.Mutex
	// acknowledged holds the latest acknowledgements, of which next is the oldest once it is full.
	acknowledged []acknowledgement
	limit, next  int
	// known is where the latest acknowledgement of each order is.
	known map[digest]int32
	// underWay holds the orders that are on their way, from when they may be sent until they end.
	underWay map[digest]*underWay
}

// digest stands for a text that is too long to keep 100,000 times. That two texts have the same one is not to be
// feared, not even where somebody wants it: it is the first half of their SHA-256.
type digest [16]byte

func digestOf(text string) digest {
	sum := sha256.Sum256([]byte(text))
	return digest(sum[:])
}

// location is where an order's record is. The topic is the consumer's.
type location struct {
	offset    int64
	partition int32
}

// acknowledgement is what is remembered of an order that CJ has.
type acknowledgement struct {
	order, query digest
	location     location
}

// underWay is one order that is on its way.
type underWay struct {
	first *candidate
	// waiting are the others, in the order in which they came.
	waiting []*candidate
}

// answer tells whether a candidate may be sent.
type answer int

const (
	// waits: the same order is on its way. The candidate is told when that has ended.
	waits answer = iota
	// goes: nobody else sends the order now, so the candidate does. It must leave in the end.
	goes
	// isDuplicate: CJ has acknowledged the order, from another record.
	isDuplicate
	// isChanged: the same, but what the candidate would have sent differs.
	isChanged
)

// candidate is an order of which it is known what it would report.
type candidate struct {
	order, query digest
	location     location
	// told hears the answer to a candidate that had to wait, by any goroutine: goes, isDuplicate or isChanged.
	// It must not wait for anything.
	told func(answer)

	// gone is set when it has left. duplicates.mu guards it.
	gone bool
}

// noQuery is the query of an order that has nothing to report. Such a one is no change of what CJ has: it may be that
// only its click is gone.
var noQuery digest

// newCandidate makes a candidate of an order, named by its outcome's key, whose query is fixed, or empty where there is
// nothing to report.
func newCandidate(key, query string, at location, told func(answer)) *candidate {
	c := &candidate{order: digestOf(key), query: noQuery, location: at, told: told}
	if query != "" {
		c.query = digestOf(query)
	}
	return c
}

// newDuplicates remembers the latest limit acknowledgements, at least 1.
func newDuplicates(limit int) *duplicates {
	return &duplicates{limit: limit, known: map[digest]int32{}, underWay: map[digest]*underWay{}}
}

// enter says whether a candidate may be sent. One that waits may be told at once, so it must be ready for that
// before the call. One that has left before stays out, and waits for nothing.
func (d *duplicates) enter(c *candidate) answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c.gone {
		return waits
	}
	return d.judge(c)
}

// judge finds a candidate's answer, and its place where there is one.
func (d *duplicates) judge(c *candidate) answer {
	if at, known := d.known[c.order]; known {
		// The same record is no duplicate of itself: its partition was lost and came back.
		switch before := d.acknowledged[at]; {
		case before.location == c.location:
		case c.query != noQuery && before.query != c.query:
			return isChanged
		default:
			return isDuplicate
		}
	}
	if ahead := d.underWay[c.order]; ahead != nil {
		ahead.waiting = append(ahead.waiting, c)
		return waits
	}
	d.underWay[c.order] = &underWay{first: c}
	return goes
}

// acknowledge notes that CJ has acknowledged a candidate that may be sent. Those that wait for it are told.
func (d *duplicates) acknowledge(c *candidate) {
	d.mu.Lock()
	d.remember(acknowledgement{order: c.order, query: c.query, location: c.location})
	told := d.settle(c)
	d.mu.Unlock()
	tell(told)
}

// leave is the end of a candidate: it was sent, or it never will be by this process. Of those that wait for it the
// next one goes. It may be called for any candidate, in any state, and again.
func (d *duplicates) leave(c *candidate) {
	d.mu.Lock()
	c.gone = true
	told := d.settle(c)
	d.mu.Unlock()
	tell(told)
}

// news is an answer on its way to a candidate.
type news struct {
	candidate *candidate
	answer    answer
}

func tell(all []news) {
	for _, one := range all {
		one.candidate.told(one.answer)
	}
}

// settle takes a candidate away, and judges those anew that waited for it.
func (d *duplicates) settle(c *candidate) []news {
	order := d.underWay[c.order]
	if order == nil {
		return nil
	}
	if order.first != c {
		if at := slices.Index(order.waiting, c); at >= 0 {
			order.waiting = slices.Delete(order.waiting, at, at+1)
		}
		return nil
	}
	delete(d.underWay, c.order)
	var told []news
	for _, other := range order.waiting {
		if now := d.judge(other); now != waits {
			told = append(told, news{other, now})
		}
	}
	return told
}

// remember adds an acknowledgement and forgets the oldest.
func (d *duplicates) remember(a acknowledgement) {
	if len(d.acknowledged) < d.limit {
		d.acknowledged = append(d.acknowledged, a)
		d.known[a.order] = int32(len(d.acknowledged) - 1)
		return
	}
	// An order that was acknowledged once more since is known by that.
	if oldest := d.acknowledged[d.next].order; d.known[oldest] == int32(d.next) {
		delete(d.known, oldest)
	}
	d.acknowledged[d.next] = a
	d.known[a.order] = int32(d.next)
	d.next = (d.next + 1) % d.limit
}
