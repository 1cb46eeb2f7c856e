package demo

import (
	"strconv"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// basket is one order as the shop knows it.
type basket struct {
	id, session string
	confirmedAt time.Time
	currency    string
	lines       []line
	// amount is the subtotal of an order without lines, nil for one with lines.
	amount   *cents
	discount cents
	coupons  []string
	// status and country go out in CJ's spelling, whatever the shop's.
	status, country string
	action, cjevent string
	consent         *bool
	// attribute is one further parameter: an Avro map with more has no fixed order of bytes.
	attribute schema.Attribute
}

// line is one line of an order.
type line struct {
	sku      string
	price    cents
	quantity int64
	discount cents
}

// encode writes the order as the shop's platform does.
func (b *basket) encode() []byte {
	order := &schema.Order{
		ID: b.id, SessionID: b.session, ConfirmedAt: b.confirmedAt, Currency: b.currency, Discount: b.discount.money(), Coupons: b.coupons,
		CustomerStatus: b.status, CustomerCountry: b.country, Action: b.action, CJEvent: b.cjevent, Consent: b.consent,
	}
	for _, l := range b.lines {
		order.Items = append(order.Items, schema.Item{SKU: l.sku, UnitPrice: l.price.money(), Quantity: l.quantity, Discount: l.discount.money()})
	}
	if b.amount != nil {
		amount := b.amount.money()
		order.Amount = &amount
	}
	if b.attribute.Name != "" {
		order.Attributes = []schema.Attribute{b.attribute}
	}
	return must(schema.EncodeOrder(orderSchemaID, order))
}

// total is what CJ must make of the amounts.
func (b *basket) total() cents {
	total := -b.discount
	if b.amount != nil {
		total += *b.amount
	}
	for _, l := range b.lines {
		total += l.price*cents(l.quantity) - l.discount
	}
	return total
}

// parameters are what CJ must get for the order and a click: names in lower case, since CJ reads them in any.
func (b *basket) parameters(clickID string) map[string]string {
	action := b.action
	if action == "" {
		action = defaultAction
	}
	expected := map[string]string{
		"cid":       enterpriseID,
		"type":      trackers[action],
		"method":    "S2S",
		"cjevent":   clickID,
		"eventtime": b.confirmedAt.UTC().Format("2006-01-02T15:04:05.000Z"),
		"oid":       b.id,
		"currency":  strings.ToUpper(b.currency),
	}
	if b.amount != nil {
		expected["amount"] = b.amount.String()
	}
	for i, l := range b.lines {
		number := strconv.Itoa(i + 1)
		expected["item"+number] = l.sku
		expected["amt"+number] = l.price.String()
		expected["qty"+number] = strconv.FormatInt(l.quantity, 10)
		if l.discount > 0 {
			expected["dcnt"+number] = l.discount.String()
		}
	}
	if b.discount > 0 {
		expected["discount"] = b.discount.String()
	}
	if len(b.coupons) > 0 {
		expected["coupon"] = strings.Join(b.coupons, ",")
	}
	if b.status != "" {
		expected["cust_status"] = strings.ToUpper(b.status[:1]) + strings.ToLower(b.status[1:])
	}
	if b.country != "" {
		expected["customercountry"] = strings.ToUpper(b.country)
	}
	if b.attribute.Name != "" {
		expected[strings.ToLower(b.attribute.Name)] = b.attribute.Value
	}
	return expected
}

// must is for what cannot fail with the demo's own data: a failure is a bug in this package or in schema.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
