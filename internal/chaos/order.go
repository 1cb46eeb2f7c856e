package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// Place is where an order's record is in the orders' topic.
type Place struct {
	Partition int32
	Offset    int64
}

// Order is one confirmed order, and the truth about it.
type Order struct {
	// ID is the shop's id, also where nobody can read it from the record.
	ID    string
	Value []byte
	// Place is where Kafka put it, and Made before when it was not there yet.
	Place Place
	Made  time.Time
	// Kind and Reason are how it must end.
	Kind   schema.Kind
	Reason schema.Reason
	// Click and Total are what CJ must receive.
	Click, Total string

	clicks []click
}

// click is one record of the click topic, of the order's session.
type click struct {
	id string
	at time.Time
}

// session is the shopper's.
func (o *Order) session() string { return "s-" + o.ID }

// The merchant's account at CJ. The second action tracker is one that CJ does not know.
const (
	enterpriseID = "1234567"
	saleTracker  = "398210"
	lostTracker  = "398211"
)

// lot makes orders, each drawn from the seed and its number alone.
type lot struct {
	seed  uint64
	named string
}

func newLot(seed uint64) lot { return lot{seed, fmt.Sprintf("ORD-%06X-", seed&0xffffff)} }

// text is what goes into an order's JSON.
type text struct {
	session, action, cjevent, sku string
	lines                         []line
	discount                      int64
}

// line is one item: an amount is in cents.
type line struct{ price, quantity, discount int64 }

// draw makes order i, confirmed a minute ago. The shares keep dead letters far from half of any twenty orders:
// more of them would rightly be taken for a wrong set-up.
func (l lot) draw(i int, now time.Time) *Order {
	random := rand.New(rand.NewPCG(l.seed, uint64(i)+1))
	at := now.Add(-time.Minute).UTC().Truncate(time.Millisecond)
	o := &Order{ID: fmt.Sprintf("%s%07d", l.named, i+1), Made: now, Kind: schema.Acknowledged, Reason: schema.ReasonJoined}
	t := text{session: o.session(), action: "sale", sku: "SKU-1", discount: random.Int64N(50)}
	total := -t.discount
	for range 1 + random.IntN(3) {
		one := line{100 + random.Int64N(50_000), 1 + random.Int64N(4), random.Int64N(50)}
		t.lines = append(t.lines, one)
		total += one.price*one.quantity - one.discount
	}
	o.Total = cents(total)
	own := hexOf(o.ID)
	lands := func(id string, before time.Duration) { o.clicks = append(o.clicks, click{id, at.Add(-before)}) }
	cut := false
	switch drawn := random.IntN(100); {
	case drawn < 62:
		lands(own, time.Hour)
		if drawn < 10 {
			lands(hexOf("later "+o.ID), -time.Second) // after the order: it does not count
		}
		o.Click = own
	case drawn < 80:
		t.cjevent, o.Click, o.Reason = own, own, schema.ReasonCarried
	case drawn < 88:
		o.Kind, o.Reason = schema.Unattributed, schema.ReasonNoClick
	case drawn < 91:
		t.session = ""
		o.Kind, o.Reason = schema.Unattributed, schema.ReasonNoSession
	case drawn < 94:
		lands(own, -time.Second)
		o.Kind, o.Reason = schema.Unattributed, schema.ReasonClickAfterOrder
	case drawn < 96:
		cut = true
		o.Kind, o.Reason = schema.DeadLetter, schema.ReasonMalformed
	case drawn < 97:
		t.discount = total + t.discount + 1
		o.Kind, o.Reason = schema.DeadLetter, schema.ReasonInvalidOrder
	case drawn < 98:
		t.cjevent, t.sku = own, "SKU 1"
		o.Kind, o.Reason = schema.DeadLetter, schema.ReasonUnbuildable
	default:
		t.cjevent, t.action, o.Click = own, "survey", own
		o.Kind, o.Reason = schema.DeadLetter, schema.ReasonRejected
	}
	o.Value = t.encode(o.ID, at)
	if cut {
		o.Value = o.Value[:len(o.Value)/2]
	}
	return o
}

// encode writes the order as JSON. It shares no code with the reader.
func (t text) encode(id string, at time.Time) []byte {
	value := fmt.Appendf(nil, `{"order_id":%q,"session_id":%q,"confirmed_at":%q,"currency":"USD","action":%q,"discount":%q,"items":[`,
		id, t.session, at.Format("2006-01-02T15:04:05.000Z"), t.action, cents(t.discount))
	for i, one := range t.lines {
		if i > 0 {
			value = append(value, ',')
		}
		value = fmt.Appendf(value, `{"sku":%q,"unit_price":%q,"quantity":%d,"discount":%q}`, t.sku, cents(one.price), one.quantity, cents(one.discount))
	}
	value = append(value, ']')
	if t.cjevent != "" {
		value = fmt.Appendf(value, `,"cjevent":%q`, t.cjevent)
	}
	return append(value, '}')
}

func cents(amount int64) string { return fmt.Sprintf("%d.%02d", amount/100, amount%100) }

// hexOf is a click id that no other text has.
func hexOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// traceHeader is a header of the shop's own, which a dead letter must keep.
const traceHeader = "trace"

func (o *Order) record(topic string) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(o.ID), Value: o.Value, Headers: []kgo.RecordHeader{{Key: traceHeader, Value: []byte(o.ID)}}}
}

func (o *Order) clickRecords(topic string) []*kgo.Record {
	records := make([]*kgo.Record, len(o.clicks))
	for i, c := range o.clicks {
		records[i] = &kgo.Record{Topic: topic, Key: []byte(o.session()), Timestamp: c.at,
			Value: fmt.Appendf(nil, `{"cjevent":%q,"captured_at":%q}`, c.id, c.at.Format("2006-01-02T15:04:05.000Z"))}
	}
	return records
}
