package schema

import "github.com/go-json-experiment/json/jsontext"

// decodeJSONOrder reads one order and nothing behind it. Names are case-sensitive, unknown fields are ignored,
// a name that repeats inside one object is an error.
func decodeJSONOrder(value []byte) (*Order, error) {
	read := jsonOrder{}
	if err := unmarshalJSON(value, &read); err != nil {
		return nil, readSoFar(err, &read.order)
	}
	if err := read.order.finish(); err != nil {
		return nil, &InvalidError{Reason: ReasonInvalidOrder, Err: err, Read: &read.order}
	}
	return &read.order, nil
}

// jsonOrder reads an order field by field, not by struct tags: every error must name its field, value and rule.
type jsonOrder struct{ order Order }

// UnmarshalJSONFrom reads the next value of dec.
func (j *jsonOrder) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	_, err := jsonMembers(dec, topField("order"), func(name []byte) error { return j.read(dec, name) })
	return err
}

func (j *jsonOrder) read(dec *jsontext.Decoder, name []byte) (err error) {
	o := &j.order
	switch string(name) {
	case "order_id":
		o.ID, err = jsonText(dec, topField("order_id"))
	case "session_id":
		o.SessionID, err = jsonText(dec, topField("session_id"))
	case "confirmed_at":
		o.ConfirmedAt, err = jsonInstant(dec, topField("confirmed_at"))
	case "currency":
		o.Currency, err = jsonText(dec, topField("currency"))
	case "items":
		err = jsonElements(dec, topField("items"), func(index int) error { return j.readItem(dec, index) })
	case "discount":
		o.Discount, _, err = jsonMoney(dec, topField("discount"))
	case "amount":
		var amount Money
		var present bool
		if amount, present, err = jsonMoney(dec, topField("amount")); present {
			o.Amount = &amount
		}
	case "coupons":
		err = jsonElements(dec, topField("coupons"), func(index int) error { return j.readCoupon(dec, index) })
	case "customer_status":
		o.CustomerStatus, err = jsonText(dec, topField("customer_status"))
	case "customer_country":
		o.CustomerCountry, err = jsonText(dec, topField("customer_country"))
	case "action":
		o.Action, err = jsonText(dec, topField("action"))
	case "cjevent":
		o.CJEvent, err = jsonText(dec, topField("cjevent"))
	case "consent":
		o.Consent, err = jsonBool(dec, topField("consent"))
	case "attributes":
		_, err = jsonMembers(dec, topField("attributes"), func(name []byte) error { return j.readAttribute(dec, string(name)) })
	default:
		err = dec.SkipValue()
	}
	return err
}

func (j *jsonOrder) readItem(dec *jsontext.Decoder, index int) error {
	if index == maxElements {
		return tooMany("items")
	}
	var item Item
	var priced, counted bool
	present, err := jsonMembers(dec, itemField(index, ""), func(name []byte) (err error) {
		switch string(name) {
		case "sku":
			item.SKU, err = jsonText(dec, itemField(index, "sku"))
		case "unit_price":
			item.UnitPrice, priced, err = jsonMoney(dec, itemField(index, "unit_price"))
		case "quantity":
			item.Quantity, counted, err = jsonQuantity(dec, itemField(index, "quantity"))
		case "discount":
			item.Discount, _, err = jsonMoney(dec, itemField(index, "discount"))
		default:
			err = dec.SkipValue()
		}
		return err
	})
	if err != nil {
		return err
	}
	if !present {
		return itemField(index, "").broken("", "must be an object, not null")
	}
	j.order.Items = append(j.order.Items, item)
	return requireItem(index, priced, counted)
}

func (j *jsonOrder) readCoupon(dec *jsontext.Decoder, index int) error {
	coupon, err := jsonText(dec, path{list: "coupons", index: index})
	if err == nil && coupon != "" {
		j.order.Coupons = append(j.order.Coupons, coupon)
	}
	return err
}

func (j *jsonOrder) readAttribute(dec *jsontext.Decoder, name string) error {
	value, err := jsonScalar(dec, attributeField(name))
	if err == nil && value != "" {
		j.order.Attributes = append(j.order.Attributes, Attribute{Name: name, Value: value})
	}
	return err
}
