package schema

import (
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends the canonical JSON of the order to dst. Absent fields are left out, times are UTC,
// money is a string in Money's one form. What a decoder read comes back equal from it.
// The error is for text that is not UTF-8, which no decoder lets through.
func (o *Order) AppendJSON(dst []byte) ([]byte, error) {
	w := jsonWriter{out: append(dst, '{')}
	w.text("order_id", o.ID)
	w.text("session_id", o.SessionID)
	w.text("confirmed_at", formatInstant(o.ConfirmedAt))
	w.text("currency", o.Currency)
	if len(o.Items) > 0 {
		w.name("items")
		w.items(o.Items)
	}
	w.money("discount", o.Discount)
	if o.Amount != nil {
		w.name("amount")
		w.quote(o.Amount.String())
	}
	if len(o.Coupons) > 0 {
		w.name("coupons")
		w.delimit('[')
		for _, coupon := range o.Coupons {
			w.comma()
			w.quote(coupon)
		}
		w.delimit(']')
	}
	w.text("customer_status", o.CustomerStatus)
	w.text("customer_country", o.CustomerCountry)
	w.text("action", o.Action)
	w.text("cjevent", o.CJEvent)
	if o.Consent != nil {
		w.name("consent")
		w.out = strconv.AppendBool(w.out, *o.Consent)
	}
	if len(o.Attributes) > 0 {
		w.name("attributes")
		w.delimit('{')
		for _, attribute := range o.Attributes {
			w.text(attribute.Name, attribute.Value)
		}
		w.delimit('}')
	}
	w.delimit('}')
	if w.err != nil {
		return dst, fmt.Errorf("encode order as JSON: %w", w.err)
	}
	return w.out, nil
}

// MarshalJSON is AppendJSON for encoding/json.
func (o *Order) MarshalJSON() ([]byte, error) { return o.AppendJSON(nil) }

// jsonWriter appends members in the order they are called and keeps the first error.
type jsonWriter struct {
	out []byte
	err error
}

func (w *jsonWriter) items(items []Item) {
	w.delimit('[')
	for i := range items {
		w.comma()
		w.delimit('{')
		w.text("sku", items[i].SKU)
		w.name("unit_price")
		w.quote(items[i].UnitPrice.String())
		w.name("quantity")
		w.out = strconv.AppendInt(w.out, items[i].Quantity, 10)
		w.money("discount", items[i].Discount)
		w.delimit('}')
	}
	w.delimit(']')
}

func (w *jsonWriter) text(name, value string) {
	if value != "" {
		w.name(name)
		w.quote(value)
	}
}

func (w *jsonWriter) money(name string, value Money) {
	if !value.IsZero() {
		w.name(name)
		w.quote(value.String())
	}
}

func (w *jsonWriter) name(name string) {
	w.comma()
	w.quote(name)
	w.out = append(w.out, ':')
}

func (w *jsonWriter) quote(text string) {
	out, err := jsontext.AppendQuote(w.out, text)
	if w.out = out; err != nil && w.err == nil {
		w.err = err
	}
}

func (w *jsonWriter) delimit(delimiter byte) { w.out = append(w.out, delimiter) }

// comma separates from the value before, which there is none of right after an opening delimiter.
func (w *jsonWriter) comma() {
	if last := w.out[len(w.out)-1]; last != '{' && last != '[' {
		w.out = append(w.out, ',')
	}
}
