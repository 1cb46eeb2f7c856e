package schema

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

const (
	// maxElements bounds items, coupons and attributes, so that one record cannot hold a worker for seconds.
	// CJ's own limit of 100 items is package postback's.
	maxElements = 10_000
	// maxQuantity is the largest number of units on one line, what a 32-bit integer holds.
	maxQuantity = math.MaxInt32
	// maxCarriedClickID is how much is kept of an illegal click id that an order carries. Cut or not, it is
	// illegal; CJ's limit is 64.
	maxCarriedClickID = 256
)

// finish brings a freshly read order into canonical form and checks it. Every decoder ends here, so that an
// order means the same whatever format it came in. The error is a *FieldError.
func (o *Order) finish() error {
	o.Currency = upperASCII(o.Currency)
	status, err := canonicalStatus(o.CustomerStatus)
	if err != nil {
		return err
	}
	o.CustomerStatus = status
	if len(o.Items) == 0 {
		// An empty list beside an amount is how some encoders write a list that is not there.
		o.Items = nil
	}
	if len(o.CJEvent) > maxCarriedClickID {
		o.CJEvent = strings.ToValidUTF8(o.CJEvent[:maxCarriedClickID], "")
	}
	slices.SortFunc(o.Attributes, func(a, b Attribute) int { return cmp.Compare(a.Name, b.Name) })
	return o.validate()
}

// validate checks every rule of the canonical form (docs: Order, canonical form). The error is a *FieldError.
func (o *Order) validate() error {
	if o.ID == "" {
		return topField("order_id").broken("", "is required")
	}
	if o.ConfirmedAt.IsZero() {
		return topField("confirmed_at").broken("", "is required: when the order became final, RFC 3339 or a timestamp")
	}
	if _, err := checkInstant(o.ConfirmedAt); err != nil {
		return topField("confirmed_at").broken(Quoted(formatInstant(o.ConfirmedAt)), err.Error())
	}
	if err := checkCurrency(o.Currency); err != nil {
		return err
	}
	if status, err := canonicalStatus(o.CustomerStatus); err != nil || status != o.CustomerStatus {
		return topField("customer_status").broken(Quoted(o.CustomerStatus), statusRule)
	}
	if err := o.checkItems(); err != nil {
		return err
	}
	if err := o.checkDiscounts(); err != nil {
		return err
	}
	if len(o.Coupons) > maxElements {
		return tooMany("coupons")
	}
	return o.checkAttributes()
}

func (o *Order) checkItems() error {
	switch {
	case len(o.Items) == 0 && o.Amount == nil:
		return topField("items").broken("", "is required and must have at least one item, unless the order has an amount")
	case len(o.Items) > 0 && o.Amount != nil:
		return topField("amount").broken(o.Amount.String(), "must not stand beside items; send the one or the other")
	case len(o.Items) > maxElements:
		return tooMany("items")
	}
	for i := range o.Items {
		item := &o.Items[i]
		if item.SKU == "" {
			return itemField(i, "sku").broken("", "is required")
		}
		if item.Quantity < 0 || item.Quantity > maxQuantity {
			return itemField(i, "quantity").broken(fmt.Sprint(item.Quantity), quantityRule)
		}
	}
	return nil
}

// requireItem refuses an item without a price or a number of units: neither is ever guessed.
func requireItem(index int, priced, counted bool) error {
	switch {
	case !priced:
		return itemField(index, "unit_price").broken("", "is required")
	case !counted:
		return itemField(index, "quantity").broken("", "is required")
	}
	return nil
}

// checkAttributes relies on the attributes being sorted by name.
func (o *Order) checkAttributes() error {
	if len(o.Attributes) > maxElements {
		return tooMany("attributes")
	}
	if len(o.Attributes) > 0 && o.Attributes[0].Name == "" {
		return topField("attributes").broken("", "must not have an empty name")
	}
	if len(o.Attributes) < 2 {
		return nil
	}
	// CJ's parameter names are case-insensitive, so two that differ only in case would be one.
	seen := make(map[string]struct{}, len(o.Attributes))
	for _, attribute := range o.Attributes {
		folded := strings.ToLower(attribute.Name)
		if _, repeats := seen[folded]; repeats {
			return attributeField(attribute.Name).broken("", "repeats; names are the same in any case")
		}
		seen[folded] = struct{}{}
	}
	return nil
}

func checkCurrency(code string) error {
	if code == "" {
		return topField("currency").broken("", "is required")
	}
	legal := len(code) == 3
	for _, r := range code {
		legal = legal && 'A' <= r && r <= 'Z'
	}
	if !legal {
		return topField("currency").broken(Quoted(code), "must be an ISO 4217 code of three letters, like USD")
	}
	return nil
}

const statusRule = "must be New, Return or Lapsed"

// canonicalStatus spells a customer status as CJ does, whatever its case.
func canonicalStatus(status string) (string, error) {
	switch status {
	case "", "New", "Return", "Lapsed":
		return status, nil
	}
	switch upperASCII(status) {
	case "NEW":
		return "New", nil
	case "RETURN":
		return "Return", nil
	case "LAPSED":
		return "Lapsed", nil
	}
	return "", topField("customer_status").broken(Quoted(status), statusRule)
}

// upperASCII leaves what is no ASCII letter alone. Unicode's upper case would turn ı and ſ into I and S, and
// with them an illegal currency into a legal one.
func upperASCII(text string) string {
	if strings.IndexFunc(text, func(r rune) bool { return 'a' <= r && r <= 'z' }) < 0 {
		return text
	}
	upper := []byte(text)
	for i, c := range upper {
		if 'a' <= c && c <= 'z' {
			upper[i] = c - 'a' + 'A'
		}
	}
	return string(upper)
}

func tooMany(list string) error {
	return topField(list).broken("", fmt.Sprintf("must have at most %d elements", maxElements))
}

var quantityRule = fmt.Sprintf("must be a whole number from 0 to %d", maxQuantity)
