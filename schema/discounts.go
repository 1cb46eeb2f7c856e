package schema

import "fmt"

// checkDiscounts refuses an order that would come to less than nothing. The discount of one item may exceed
// its line, as when a platform books the discount of a bundle on one of its lines.
func (o *Order) checkDiscounts() error {
	if o.discountsFitMillionths() {
		return nil
	}
	subtotal, ofItems := Money{}, Money{}
	if o.Amount != nil {
		subtotal = *o.Amount
	}
	for i := range o.Items {
		subtotal = subtotal.Add(o.Items[i].UnitPrice.Mul(o.Items[i].Quantity))
		ofItems = ofItems.Add(o.Items[i].Discount)
	}
	switch {
	case !subtotal.LessThan(ofItems.Add(o.Discount)):
		return nil
	case o.Discount.IsZero():
		return topField("items").broken("", fmt.Sprintf("have discounts of %s, more than the %s they cost; "+
			"a discount is for the whole line in major units", ofItems, subtotal))
	case ofItems.IsZero():
		return topField("discount").broken(o.Discount.String(), fmt.Sprintf("must not exceed the order's %s", subtotal))
	}
	return topField("discount").broken(o.Discount.String(), fmt.Sprintf("with %s of item discounts must not exceed the order's %s; "+
		"the order's discount must not repeat the items'", ofItems, subtotal))
}

// discountsFitMillionths is checkDiscounts in 64 bits, which saves nearly every order some twenty numbers on the
// heap. False means that the discounts are too high, or that this way cannot tell.
func (o *Order) discountsFitMillionths() bool {
	discounts, ok := o.Discount.millionths()
	subtotal := uint64(0)
	if ok && o.Amount != nil {
		subtotal, ok = o.Amount.millionths()
	}
	for i := 0; ok && i < len(o.Items); i++ {
		item := &o.Items[i]
		price, priceOK := item.UnitPrice.millionths()
		discount, discountOK := item.Discount.millionths()
		// A subtotal that overflows comes out too low, which is no harm: then this way cannot tell. Each discount
		// is at most 10^18, so that their sum is caught before it overflows.
		subtotal, discounts = subtotal+price*uint64(item.Quantity), discounts+discount
		ok = priceOK && discountOK && discounts <= 1e18
	}
	return ok && discounts <= subtotal
}

// millionths is the amount times 10^6 where that is whole and at most 10^18.
func (m Money) millionths() (uint64, bool) {
	exponent := int(m.amount.Exponent())
	if m.amount.NumDigits() > 12 || exponent < -6 || m.amount.Sign() < 0 {
		return 0, false
	}
	units := uint64(m.amount.CoefficientInt64())
	for range 6 + exponent {
		units *= 10
	}
	return units, true
}
