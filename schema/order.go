package schema

import "time"

// Order is one order.confirmed event in canonical form: decoded, normalised and checked.
// A value of this type obeys every rule in Order.validate; it is not changed after decoding and may be
// read by many goroutines.
type Order struct {
	// ID is the platform's order id, CJ's OID. Never empty.
	ID string
	// SessionID joins the order with a click. Empty when the platform sent none.
	SessionID string
	// ConfirmedAt is when the shopper's order became final, in UTC.
	ConfirmedAt time.Time
	// Currency is the ISO 4217 code of every amount below, in upper case.
	Currency string
	// Items are the order's lines, in the platform's order. Empty when Amount is set.
	Items []Item
	// Discount is the order-level discount and excludes the items' discounts. Zero when there is none.
	Discount Money
	// Amount is the order's subtotal for orders without items, otherwise nil.
	Amount *Money
	// Coupons are the codes used, in the platform's order.
	Coupons []string
	// CustomerStatus is "New", "Return", "Lapsed" or empty.
	CustomerStatus string
	// CustomerCountry is the platform's country code, or empty.
	CustomerCountry string
	// Action names the action tracker (CJ's TYPE). Empty means the configured default.
	Action string
	// CJEvent is the click id that the platform itself read from the cookie, or empty.
	CJEvent string
	// Consent is nil when the platform did not say. False means that the order must not be sent.
	Consent *bool
	// Attributes go out as further parameters, sorted by name.
	Attributes []Attribute
}

// Item is one line of an order.
type Item struct {
	SKU string
	// UnitPrice is the price of one unit before discount, tax and shipping.
	UnitPrice Money
	// Quantity is the number of units, zero or more.
	Quantity int64
	// Discount is for the whole line, not for one unit. Zero when there is none.
	Discount Money
}

// Attribute is a vertical or custom parameter of an order.
type Attribute struct{ Name, Value string }
