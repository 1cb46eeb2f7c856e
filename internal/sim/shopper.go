//go:build synctests

package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// shopper is one order with its clicks, and how it must end.
type shopper struct {
	kind        string
	id, session string
	// at is when the order is confirmed, since the start. A negative one is history.
	at     time.Duration
	visits []visit
	// ahead is how far in the future the order says it was confirmed.
	ahead time.Duration
	// carried is the order's own click id.
	carried string
	refuses bool
	// discount and sku spoil the order, damage its bytes.
	discount, sku string
	damage        func([]byte) []byte
	// answers is what CJ's script says of this order, without the condition.
	answers string

	// ends, reason and click are how it must end.
	ends   schema.Kind
	reason schema.Reason
	click  string
	// orLate: where the relay looks late enough, it finds a click that came after the order.
	orLate bool
	// pays is the order's total.
	pays string

	// repeats: the same order is confirmed again, in a record of its own.
	repeats bool
	again   place

	// transaction is the number of the transaction that the order is in, 0 for none.
	transaction int
	aborted     bool
	// place is where the record stands, once it was produced.
	place      place
	produced   bool
	key, value []byte
	// lateAt is when the late click was produced.
	lateAt time.Time
}

// place is where a record stands in the orders' topic.
type place struct {
	partition int32
	offset    int64
}

// visit is one record of the click topic.
type visit struct {
	// before is how long before the order the record is produced; captured, how long before that the shopper came.
	before, captured time.Duration
	// click is empty for a tombstone.
	click string
	// spoiled is a record that nobody can read.
	spoiled bool
}

// kinds are what shoppers may be, how often each is drawn, and how they are made.
var kinds = []struct {
	name   string
	weight int
	make   func(*shopper, *rand.Rand)
}{
	{"joined", 30, func(s *shopper, r *rand.Rand) { s.joins(s.visit(drawn(r, 0, 5*time.Second), 0)) }},
	// A table that is a moment behind has another click for these, or none, or one that is gone.
	{"just clicked", 15, func(s *shopper, _ *rand.Rand) { s.joins(s.visit(0, 0)) }},
	{"just clicked again", 10, func(s *shopper, r *rand.Rand) {
		s.visit(drawn(r, time.Second, 5*time.Second), 0)
		s.joins(s.visit(0, 0))
	}},
	{"just erased", 5, func(s *shopper, r *rand.Rand) {
		s.visit(drawn(r, time.Second, 5*time.Second), 0)
		s.visits = append(s.visits, visit{})
		s.misses(schema.ReasonClickErased)
	}},
	{"carried", 10, func(s *shopper, _ *rand.Rand) { s.carries() }},
	{"carried illegally", 2, func(s *shopper, _ *rand.Rand) {
		s.carried = "not a click id"
		s.joins(s.visit(time.Second, 0))
	}},
	{"flaky", 6, func(s *shopper, r *rand.Rand) {
		s.carries()
		s.answers = fmt.Sprintf("next=%d ", 1+r.IntN(3)) + []string{"status=503", "reset", "cut", "malformed", "hang", "status=408", "html status=502"}[r.IntN(7)]
	}},
	{"rejected", 4, func(s *shopper, r *rand.Rand) {
		s.carries()
		s.answers = []string{"status=400", "status=422", "status=414"}[r.IntN(3)]
		s.dies(schema.ReasonRejected)
	}},
	{"no session", 2, func(s *shopper, _ *rand.Rand) { s.session = ""; s.misses(schema.ReasonNoSession) }},
	{"no click", 4, func(s *shopper, _ *rand.Rand) { s.misses(schema.ReasonNoClick) }},
	{"late click", 2, func(s *shopper, r *rand.Rand) {
		s.visit(-drawn(r, time.Millisecond, 10*time.Second), time.Minute)
		s.misses(schema.ReasonNoClick)
		s.orLate, s.click = true, s.visits[0].click
	}},
	{"clicked after", 2, func(s *shopper, _ *rand.Rand) {
		s.visit(time.Second, -time.Hour)
		s.misses(schema.ReasonClickAfterOrder)
	}},
	{"expired", 2, func(s *shopper, _ *rand.Rand) {
		s.visit(time.Second, 400*24*time.Hour)
		s.misses(schema.ReasonClickExpired)
	}},
	{"invalid click", 2, func(s *shopper, _ *rand.Rand) {
		s.visits = append(s.visits, visit{before: time.Second, spoiled: true})
		s.misses(schema.ReasonClickInvalid)
	}},
	{"no consent", 2, func(s *shopper, _ *rand.Rand) { s.carries(); s.refuses = true; s.misses(schema.ReasonNoConsent) }},
	{"malformed", 2, func(s *shopper, _ *rand.Rand) {
		s.damage = func(value []byte) []byte { return value[:len(value)/2] }
		s.dies(schema.ReasonMalformed)
	}},
	{"invalid", 2, func(s *shopper, _ *rand.Rand) { s.discount = "100000"; s.dies(schema.ReasonInvalidOrder) }},
	{"unbuildable", 2, func(s *shopper, _ *rand.Rand) { s.carries(); s.sku = "SKU 1"; s.dies(schema.ReasonUnbuildable) }},
	{"future", 1, func(s *shopper, _ *rand.Rand) { s.carries(); s.ahead = time.Hour; s.dies(schema.ReasonFuture) }},
	// Another instance, or this one after a restart, does not know what was acknowledged: only scenarios with one relay
	// have these.
	{"repeated", 0, func(s *shopper, _ *rand.Rand) { s.carries(); s.repeats = true }},
	{"soon", 2, func(s *shopper, r *rand.Rand) { s.carries(); s.ahead = drawn(r, time.Second, 10*time.Second) }},
}

// drawn is a time from least to below most.
func drawn(r *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(r.Int64N(int64(most-least))).Truncate(time.Millisecond)
}

// shoppers are those of a run, in the order of their time.
func shoppers(o Options) []*shopper {
	r := rand.New(rand.NewPCG(o.Seed, 1))
	all := make([]*shopper, o.History+o.Orders+o.Encore*o.Partitions)
	for i := range all {
		all[i] = &shopper{at: -time.Second}
		switch {
		case i >= o.History+o.Orders:
			all[i].at = o.Over + drawn(r, 0, 2*time.Second)
		case i >= o.History:
			all[i].at = drawn(r, 0, o.Over)
		}
	}
	slices.SortStableFunc(all, func(a, b *shopper) int { return int(a.at - b.at) })
	for i, s := range all {
		s.make(i, o, r)
	}
	if o.Transactions {
		from := 0
		if o.Compaction {
			// The fake's compaction takes markers away and leaves what they aborted on its list: a reader would then
			// take what the same producer commits next for aborted, too.
			from = o.History
		}
		transact(all[from:], r)
	}
	return all
}

// make draws one shopper.
func (s *shopper) make(i int, o Options, r *rand.Rand) {
	s.id, s.session = fmt.Sprintf("ORD-%d", i), fmt.Sprintf("s-%d-%d", o.Seed, i)
	if r.IntN(4) == 0 {
		// Some shops have nothing better.
		s.session = fmt.Sprintf("shopper.%d.%d@mail.example", o.Seed, i)
	}
	cents := r.IntN(300)
	s.discount, s.pays = inUnits(cents), inUnits(2*2299-cents)
	s.sku = "SKU-1"
	var names []string
	for _, k := range kinds {
		if len(o.Only) == 0 {
			names = append(names, slices.Repeat([]string{k.name}, k.weight)...)
		} else if slices.Contains(o.Only, k.name) {
			names = append(names, k.name)
		}
	}
	s.kind = one(r, names...)
	for _, k := range kinds {
		if k.name == s.kind {
			k.make(s, r)
		}
	}
}

func inUnits(cents int) string { return fmt.Sprintf("%d.%02d", cents/100, cents%100) }

// visit adds a click of the shopper's own.
func (s *shopper) visit(before, captured time.Duration) visit {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", s.session, s.id, len(s.visits)))
	v := visit{before: before, captured: captured, click: hex.EncodeToString(sum[:16])}
	s.visits = append(s.visits, v)
	return v
}

func (s *shopper) joins(v visit) {
	s.ends, s.reason, s.click = schema.Acknowledged, schema.ReasonJoined, v.click
}

func (s *shopper) carries() {
	sum := sha256.Sum256([]byte("carried " + s.session))
	s.carried = hex.EncodeToString(sum[:16])
	s.ends, s.reason, s.click = schema.Acknowledged, schema.ReasonCarried, s.carried
}

func (s *shopper) misses(reason schema.Reason) {
	s.ends, s.reason, s.click = schema.Unattributed, reason, ""
}

func (s *shopper) dies(reason schema.Reason) {
	s.ends, s.reason = schema.DeadLetter, reason
	if reason != schema.ReasonRejected {
		s.click = ""
	}
}

// transact puts runs of orders into transactions, of which one in three is aborted.
func transact(all []*shopper, r *rand.Rand) {
	number := 0
	for i := 0; i < len(all); {
		size := 1 + r.IntN(5)
		if r.IntN(3) > 0 {
			i += size
			continue
		}
		number++
		aborted := r.IntN(3) == 0
		for ; size > 0 && i < len(all); size, i = size-1, i+1 {
			all[i].transaction, all[i].aborted = number, aborted
		}
	}
}

// order is the shopper's order, confirmed now.
func (s *shopper) order(now time.Time) (*schema.Order, error) {
	price, err := schema.ParseMoney("22.99")
	if err != nil {
		return nil, err
	}
	discount, err := schema.ParseMoney(s.discount)
	if err != nil {
		return nil, err
	}
	o := &schema.Order{ID: s.id, SessionID: s.session, ConfirmedAt: now.Add(s.ahead).UTC().Truncate(time.Millisecond), Currency: "USD", CJEvent: s.carried,
		Items: []schema.Item{{SKU: s.sku, UnitPrice: price, Quantity: 2, Discount: discount}}}
	if s.refuses {
		no := false
		o.Consent = &no
	}
	return o, nil
}
