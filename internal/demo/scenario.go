package demo

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// scenario is what happens to a shopper, and how often: so many cards of the deck.
type scenario struct {
	name  string
	cards int
	act   func(s *shopper)
}

// play lets it happen. The order is written as it stands then, unless the scenario wrote something else.
func (c *scenario) play(s *shopper) {
	c.act(s)
	if s.value == nil && s.reason != schema.ReasonMalformed {
		s.value = s.order.encode()
	}
}

// deckSize is how many cards the deck has.
var deckSize = func() (size int) {
	for _, s := range deck {
		size += s.cards
	}
	return size
}()

var deck = []scenario{
	// With a click that counts.
	{"a click", 195, func(s *shopper) { s.counts(s.landsInTime(), schema.ReasonJoined) }},
	{"two clicks, the later one counts", 30, func(s *shopper) {
		s.lands(s.before(10*day, 30*day))
		s.counts(s.lands(s.before(time.Minute, 9*day)), schema.ReasonJoined)
	}},
	{"two clicks, the earlier one arrives late", 15, func(s *shopper) {
		later := s.lands(s.before(time.Minute, 9*day))
		s.lands(s.before(10*day, 30*day))
		s.counts(later, schema.ReasonJoined)
	}},
	{"a click before and one after the order", 15, func(s *shopper) {
		before := s.landsInTime()
		s.lands(s.after())
		s.counts(before, schema.ReasonJoined)
	}},
	{"a click, then garbage", 5, func(s *shopper) {
		good := s.landsInTime()
		s.clicks = append(s.clicks, click{id: s.hex(16), at: s.order.confirmedAt, garbled: true})
		s.counts(good, schema.ReasonJoined)
	}},
	{"an expired click and a fresh one", 5, func(s *shopper) {
		s.lands(s.expired())
		s.counts(s.landsInTime(), schema.ReasonJoined)
	}},
	{"a click erased and another one", 5, func(s *shopper) {
		s.erases(s.before(2*day, 30*day))
		s.counts(s.lands(s.before(time.Minute, day)), schema.ReasonJoined)
	}},
	{"the order carries its click", 20, func(s *shopper) {
		s.order.session, s.order.cjevent = "", s.hex(16)
		s.counts(s.order.cjevent, schema.ReasonCarried)
	}},
	{"the order's own click wins", 10, func(s *shopper) {
		s.landsInTime()
		s.order.cjevent = s.hex(16)
		s.counts(s.order.cjevent, schema.ReasonCarried)
	}},
	{"the order's own click is illegal", 5, func(s *shopper) {
		s.order.cjevent = "cje=" + s.hex(16)
		s.counts(s.landsInTime(), schema.ReasonJoined)
	}},

	// Without one.
	{"no click", 110, func(s *shopper) { s.misses(schema.ReasonNoClick) }},
	{"no session", 24, func(s *shopper) {
		s.order.session = ""
		s.misses(schema.ReasonNoSession)
	}},
	{"a click after the order", 12, func(s *shopper) {
		s.lands(s.after())
		s.misses(schema.ReasonClickAfterOrder)
	}},
	{"an expired click", 10, func(s *shopper) {
		s.lands(s.expired())
		s.misses(schema.ReasonClickExpired)
	}},
	{"an erased click", 8, func(s *shopper) {
		s.erases(s.before(time.Minute, 30*day))
		s.misses(schema.ReasonClickErased)
	}},
	{"garbage for a click", 6, func(s *shopper) {
		s.clicks = append(s.clicks, click{id: s.hex(16), at: s.before(time.Minute, day), garbled: true})
		s.misses(schema.ReasonClickInvalid)
	}},
	{"no consent", 10, func(s *shopper) {
		s.landsInTime()
		refused := false
		s.order.consent = &refused
		s.misses(schema.ReasonNoConsent)
	}},

	// What cannot be sent.
	{"a wrong first byte", 1, func(s *shopper) {
		s.mangles(func(value []byte) []byte { value[0] = 0x07; return value })
	}},
	{"JSON instead of Avro", 1, func(s *shopper) {
		s.mangles(func([]byte) []byte { return fmt.Appendf(nil, `{"order_id":%q}`, s.order.id) })
	}},
	{"cut off", 1, func(s *shopper) {
		s.mangles(func(value []byte) []byte { return value[:len(value)-1-s.random.IntN(8)] })
	}},
	{"bytes too many", 1, func(s *shopper) {
		s.mangles(func(value []byte) []byte { return append(value, 0, 1, 2) })
	}},
	{"a null value", 1, func(s *shopper) {
		s.mangles(func([]byte) []byte { return nil })
	}},
	{"a schema that the registry does not know", 1, func(s *shopper) {
		s.mangles(func(value []byte) []byte {
			binary.BigEndian.PutUint32(value[1:], 4711)
			return value
		})
		s.fails(schema.ReasonUnknownSchema)
	}},
	{"a discount larger than the order", 1, func(s *shopper) {
		s.order.discount += s.order.total() + 1
		s.fails(schema.ReasonInvalidOrder)
	}},
	{"a currency that is none", 1, func(s *shopper) {
		s.order.currency = "EURO"
		s.fails(schema.ReasonInvalidOrder)
	}},
	{"neither items nor an amount", 1, func(s *shopper) {
		s.order.lines, s.order.amount, s.order.discount = nil, nil, 0
		s.fails(schema.ReasonInvalidOrder)
	}},
	{"confirmed in the future", 1, func(s *shopper) {
		s.landsInTime()
		s.order.confirmedAt = s.order.confirmedAt.Add(2 * day)
		s.fails(schema.ReasonFuture)
	}},
	{"an order id that CJ does not take", 1, func(s *shopper) {
		s.landsInTime()
		s.order.id += "/B"
		s.fails(schema.ReasonUnbuildable)
	}},
	{"an e-mail address for an order id", 1, func(s *shopper) {
		s.landsInTime()
		s.order.id = "anna" + s.hex(2) + "@shop.example"
		s.fails(schema.ReasonUnbuildable)
	}},
	{"more than 100 items", 1, func(s *shopper) {
		s.landsInTime()
		s.order.amount, s.order.action = nil, ""
		for len(s.order.lines) <= 100 {
			s.order.lines = append(s.order.lines, s.order.line(s.random))
		}
		s.fails(schema.ReasonUnbuildable)
	}},
	{"an action without an action tracker", 1, func(s *shopper) {
		s.landsInTime()
		s.order.action = "subscription"
		s.fails(schema.ReasonUnbuildable)
	}},
	{"an action tracker that CJ does not know", 1, func(s *shopper) {
		s.landsInTime()
		s.order.action = "survey"
		s.fails(schema.ReasonRejected)
	}},
}

// after is a time soon after the order.
func (s *shopper) after() time.Time {
	return s.order.confirmedAt.Add(s.between(time.Second, 30*time.Second))
}

// expired is a time just outside of the window.
func (s *shopper) expired() time.Time { return s.before(window+time.Hour, window+20*day) }

// erases catches a click and erases it again a little later.
func (s *shopper) erases(at time.Time) {
	s.lands(at)
	s.clicks = append(s.clicks, click{at: at.Add(time.Second), erased: true})
}
