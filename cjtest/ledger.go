package cjtest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// entry is what is kept of one request; the rest of a Received is read from the query again, so that hundreds
// of thousands fit into memory.
type entry struct {
	at       int64 // Unix nanoseconds
	query    string
	previous int32 // of the same order id: its index + 1, or 0
	status   int16
	notGET   bool
	verdict  Verdict
}

// ledger is what arrived since the start or the latest reset. Reset puts a new one in its place, and a
// request that is still being answered then settles in the old one.
type ledger struct {
	mu      sync.Mutex
	entries []entry
	latest  map[string]int32 // by order id: the index + 1 of its latest entry
	booked  map[key]struct{} // valid and answered 2xx
	summary Summary
	arrived chan struct{} // closed at the next arrival or reset; nil while nobody waits
}

func newLedger() *ledger {
	return &ledger{
		latest:  make(map[string]int32),
		booked:  make(map[key]struct{}),
		summary: Summary{ByStatus: make(map[int]int)},
	}
}

// receipt is the place of one request in its ledger.
type receipt struct {
	ledger *ledger
	index  int // in entries, or -1 when only counted
	key    key
}

// count records an arrival without its content.
func (l *ledger) count() receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announce()
	return receipt{ledger: l, index: -1}
}

// record files an arrival that has no answer yet.
func (l *ledger) record(e entry, k key) receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.announce()
	if _, booked := l.booked[k]; booked && e.verdict == Valid {
		e.verdict = Duplicate
	}
	switch e.verdict {
	case Duplicate:
		l.summary.Duplicates++
	case Refused:
		l.summary.Refused++
	}
	e.previous = l.latest[k.order]
	l.entries = append(l.entries, e)
	l.latest[k.order] = int32(len(l.entries))
	return receipt{ledger: l, index: len(l.entries) - 1, key: k}
}

// announce counts an arrival and wakes those who wait for it.
func (l *ledger) announce() {
	l.summary.Requests++
	l.summary.ByStatus[0]++
	l.wake()
}

func (l *ledger) wake() {
	if l.arrived != nil {
		close(l.arrived)
		l.arrived = nil
	}
}

// settle notes the status of a request just before it goes out, so that whoever sees the answer also finds it
// here. Of two requests for one order in flight together, the one that settles second is the duplicate.
func (r receipt) settle(status int) {
	l := r.ledger
	l.mu.Lock()
	defer l.mu.Unlock()
	l.summary.ByStatus[0]--
	if l.summary.ByStatus[0] == 0 {
		delete(l.summary.ByStatus, 0)
	}
	l.summary.ByStatus[status]++
	if r.index < 0 {
		return
	}
	e := &l.entries[r.index]
	e.status = int16(status)
	if e.verdict != Valid || status < 200 || status > 299 {
		return
	}
	if _, booked := l.booked[r.key]; booked {
		e.verdict = Duplicate
		l.summary.Duplicates++
		return
	}
	l.booked[r.key] = struct{}{}
	l.summary.Acknowledged++
}

func (l *ledger) entry(index int) entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.entries[index]
}

func (l *ledger) snapshot() []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.entries)
}

// of returns the entries of one order id, oldest first.
func (l *ledger) of(orderID string) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []entry
	for next := l.latest[orderID]; next > 0; next = l.entries[next-1].previous {
		found = append(found, l.entries[next-1])
	}
	slices.Reverse(found)
	return found
}

func (l *ledger) acknowledged(orderID string) bool {
	return slices.ContainsFunc(l.of(orderID), func(e entry) bool {
		return e.verdict == Valid && e.status >= 200 && e.status <= 299
	})
}

func (l *ledger) counted() Summary {
	l.mu.Lock()
	defer l.mu.Unlock()
	summary := l.summary
	summary.ByStatus = maps.Clone(l.summary.ByStatus)
	return summary
}

// waiting returns how many arrived, and a channel that closes when that changes.
func (l *ledger) waiting() (int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.arrived == nil {
		l.arrived = make(chan struct{})
	}
	return l.summary.Requests, l.arrived
}

// retire wakes those who wait on a ledger that was replaced.
func (l *ledger) retire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wake()
}

func (e entry) received(book *rulebook) Received {
	taken := readings.Get().(*reading)
	defer taken.release()
	taken.take(e.query)
	at := time.Unix(0, e.at).UTC()
	received := Received{
		At:           at,
		OrderID:      taken.values[oid],
		Action:       taken.values[action],
		EnterpriseID: taken.values[cid],
		ClickID:      taken.values[cjevent],
		Total:        taken.totalText(),
		Status:       int(e.status),
		Verdict:      e.verdict,
		Query:        e.query,
	}
	if e.verdict == Refused {
		taken.judge(book, at, e.notGET)
		received.Problems = taken.listed()
	}
	return received
}
