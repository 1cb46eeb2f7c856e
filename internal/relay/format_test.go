package relay_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// A platform that moves from JSON to Avro must not send CJ an order in other words.
func TestSameOrderGivesTheSameQueryInEveryFormat(t *testing.T) {
	t.Parallel()
	confirmedAt := time.Date(2026, 3, 27, 11, 2, 7, 120e6, time.UTC)
	full := func(o *schema.Order) {
		o.ConfirmedAt, o.Currency = confirmedAt, "EUR"
		o.Items = []schema.Item{
			{SKU: "SKU-BLK-LG", UnitPrice: money("22.99"), Quantity: 2, Discount: money("5")},
			{SKU: "SKU-HAT", UnitPrice: money("1000"), Quantity: 1},
			{SKU: "SKU-MG", UnitPrice: money("0.125"), Quantity: 8},
		}
		o.Discount, o.Coupons = money("1.50"), []string{"TWO FIFTY", "ÄÖ&="}
		o.CustomerStatus, o.CustomerCountry, o.Action = "New", "DE", "sale"
		o.Attributes = []schema.Attribute{{Name: "businessUnit", Value: "eu west"}, {Name: "wifi", Value: "Yes"}}
	}
	literal := `{"unknown": [{}], "attributes": {"wifi": "Yes", "businessUnit": "eu west"}, "order_id": "ORD-1", "session_id": "s-1",
		"confirmed_at": "2026-03-27T12:02:07.12+01:00", "currency": "eur", "amount": null, "consent": null, "cjevent": "",
		"items": [{"sku": "SKU-BLK-LG", "unit_price": 22.990, "quantity": 2.0, "discount": 5e0}, {"sku": "SKU-HAT", "unit_price": "1000.00", "quantity": 1},
		{"sku": "SKU-MG", "unit_price": "0.1250", "quantity": 8, "discount": "0.00"}], "discount": "1.5", "coupons": ["TWO FIFTY", "ÄÖ&="],
		"customer_status": "new", "customer_country": "DE", "action": "sale"}`

	send := func(t *testing.T, prepare func(*shop) *kgo.Record) cjtest.Received {
		s := open(t, 1)
		record := prepare(s)
		s.visited(t, visit{"s-1", clickOf("s-1"), confirmedAt.Add(-time.Hour)})
		s.kafka.Produce(t, record)
		s.start(t)
		s.awaitOutcomes(t, 1)
		s.audit(t).requireAcknowledged(t, s, "ORD-1", clickOf("s-1"), schema.ReasonJoined)
		require.Equal(t, 1, s.cj.Count())
		return s.cj.Received()[0]
	}
	canonical := send(t, func(s *shop) *kgo.Record { return s.record(t, s.order("ORD-1", "s-1", full)) })
	avro := send(t, func(s *shop) *kgo.Record { s.useAvro(t); return s.record(t, s.order("ORD-1", "s-1", full)) })
	loose := send(t, func(s *shop) *kgo.Record { return &kgo.Record{Topic: s.config.Orders.Topic, Value: []byte(literal)} })
	require.Equal(t, canonical.Query, avro.Query)
	require.Equal(t, canonical.Query, loose.Query)
	require.Equal(t, "1040.48", canonical.Total)
	require.Equal(t, "TWO FIFTY,ÄÖ&=", canonical.Params().Get("COUPON"))
	require.Equal(t, "eu west", canonical.Params().Get("businessUnit"))
}

func TestAvroOrderWithoutItemsHasItsAmount(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.useAvro(t)
	amount := money("1234.5")
	s.confirm(t, s.order("ORD-1", "", carrying(clickOf("1")), func(o *schema.Order) {
		o.Items, o.Amount, o.Discount = nil, &amount, money("34.5")
	}))
	s.start(t)
	s.awaitOutcomes(t, 1)
	s.audit(t).requireAcknowledged(t, s, "ORD-1", clickOf("1"), schema.ReasonCarried)
	require.Equal(t, "1200.00", s.cj.Received()[0].Total)
}
