package qa

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cjrelay/cjrelay/schema"
)

// OrdersMax bounds the own orders of a run: the report is for people to read.
const OrdersMax = 50

// ErrTooMany says that a run was given more than OrdersMax orders.
var ErrTooMany = fmt.Errorf("more than %d orders: a report of them is too long to read, choose some", OrdersMax)

// ReadOrders reads orders in canonical JSON: one object, an array of objects, or several of either one after
// the other, such as a file with an order a line. name says in errors where the text is from. Errors: text that
// is no JSON, an order that breaks a rule (with its number, from 1), no order at all, ErrTooMany.
func ReadOrders(ctx context.Context, name string, text []byte, decode schema.OrderDecoder) ([]*schema.Order, error) {
	var orders []*schema.Order
	// What is wrong inside an order is for decode to say: it names the field.
	decoder := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	inList := false
	for {
		switch kind := decoder.PeekKind(); {
		case kind == '[' && !inList, kind == ']':
			if _, err := decoder.ReadToken(); err != nil {
				return nil, notJSON(name, decoder, err)
			}
			inList = kind == '['
			continue
		}
		value, err := decoder.ReadValue()
		switch {
		case errors.Is(err, io.EOF) && len(orders) == 0:
			return nil, fmt.Errorf("%s: has no order", name)
		case errors.Is(err, io.EOF):
			return orders, nil
		case err != nil:
			return nil, notJSON(name, decoder, err)
		case len(orders) == OrdersMax:
			return nil, fmt.Errorf("%s: %w", name, ErrTooMany)
		}
		order, err := decode(ctx, value)
		if err != nil {
			return nil, fmt.Errorf("%s: order %d: %w", name, len(orders)+1, err)
		}
		orders = append(orders, order)
	}
}

// notJSON leaves the library's text out, which repeats what it read: that may be a click id.
func notJSON(name string, decoder *jsontext.Decoder, err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: is not JSON: it ends too early", name)
	}
	return fmt.Errorf("%s: is not JSON near byte %d; write an order object or an array of them", name, decoder.InputOffset())
}

// Own makes scenarios of the merchant's own orders.
func Own(account Account, orders []*schema.Order) []Scenario {
	scenarios := make([]Scenario, len(orders))
	for i, order := range orders {
		s := Scenario{Name: fmt.Sprintf("own-%d", i+1), Order: order, Expected: totalsOf(order)}
		covered, why := caseOf(account, order)
		s.Case, s.Title = covered, covered.Info().Title
		if covered == "" {
			s.Title = "Own order"
			s.Notes = append(s.Notes, "It covers none of CJ's scenarios: "+why+".")
		}
		if (covered == RetailOrderDiscount || covered == RetailItemDiscount || covered == RetailBothDiscounts) && len(order.Coupons) == 0 {
			s.Notes = append(s.Notes, "It carries no coupon code; CJ's scenario has one.")
		}
		if order.CJEvent != "" {
			s.Notes = append(s.Notes, "The order carries a click id of its own, which was not used: a test goes out with the test click alone.")
		}
		scenarios[i] = s
	}
	return scenarios
}
