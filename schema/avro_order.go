package schema

import "errors"

// avroOrder reads an order out of a native datum of the writer's type, by the names of its fields. Fields that
// the writer does not have are absent, fields that we do not know are ignored. The error is an *InvalidError.
func avroOrder(native any, of *avroType) (*Order, error) {
	native, of, err := avroRoot(native, of)
	if err != nil {
		return nil, err
	}
	order := &Order{}
	if err = avroFields(native, of, order.readAvro); err == nil {
		err = order.finish()
	}
	if err != nil {
		return nil, &InvalidError{Reason: ReasonInvalidOrder, Err: err, Read: order}
	}
	return order, nil
}

// avroRoot returns the record that a whole value is.
func avroRoot(native any, of *avroType) (any, *avroType, error) {
	native, of = of.settle(native)
	if of == nil || of.kind != avroRecord {
		return nil, nil, &InvalidError{Reason: ReasonMalformed, Err: errors.New("the value is no Avro record")}
	}
	return native, of, nil
}

// avroFields calls read for every field of a record.
func avroFields(native any, of *avroType, read func(name string, native any, of *avroType) error) error {
	record := native.(map[string]any)
	for i := range of.fields {
		field := &of.fields[i]
		if err := read(field.name, record[field.name], field.of); err != nil {
			return err
		}
	}
	return nil
}

func (o *Order) readAvro(name string, native any, of *avroType) (err error) {
	switch name {
	case "order_id":
		o.ID, err = avroText(native, of, topField("order_id"))
	case "session_id":
		o.SessionID, err = avroText(native, of, topField("session_id"))
	case "confirmed_at":
		o.ConfirmedAt, err = avroInstant(native, of, topField("confirmed_at"))
	case "currency":
		o.Currency, err = avroText(native, of, topField("currency"))
	case "items":
		err = o.readAvroItems(native, of)
	case "discount":
		o.Discount, _, err = avroMoney(native, of, topField("discount"))
	case "amount":
		var amount Money
		var present bool
		if amount, present, err = avroMoney(native, of, topField("amount")); present {
			o.Amount = &amount
		}
	case "coupons":
		err = o.readAvroCoupons(native, of)
	case "customer_status":
		o.CustomerStatus, err = avroText(native, of, topField("customer_status"))
	case "customer_country":
		o.CustomerCountry, err = avroText(native, of, topField("customer_country"))
	case "action":
		o.Action, err = avroText(native, of, topField("action"))
	case "cjevent":
		o.CJEvent, err = avroText(native, of, topField("cjevent"))
	case "consent":
		o.Consent, err = avroBool(native, of, topField("consent"))
	case "attributes":
		err = o.readAvroAttributes(native, of)
	}
	return err
}

func (o *Order) readAvroItems(native any, of *avroType) error {
	if native, of = of.settle(native); of == nil {
		return nil
	}
	if of.kind != avroArray {
		return topField("items").broken("", "must be an array of records, not Avro "+of.describe())
	}
	elements := native.([]any)
	o.Items = make([]Item, len(elements))
	for i, element := range elements {
		if err := readAvroItem(&o.Items[i], i, element, of.element); err != nil {
			return err
		}
	}
	return nil
}

func readAvroItem(item *Item, index int, native any, of *avroType) error {
	if native, of = of.settle(native); of == nil || of.kind != avroRecord {
		return itemField(index, "").broken("", "must be a record")
	}
	var priced, counted bool
	err := avroFields(native, of, func(name string, native any, of *avroType) (err error) {
		switch name {
		case "sku":
			item.SKU, err = avroText(native, of, itemField(index, "sku"))
		case "unit_price":
			item.UnitPrice, priced, err = avroMoney(native, of, itemField(index, "unit_price"))
		case "quantity":
			item.Quantity, counted, err = avroQuantity(native, of, itemField(index, "quantity"))
		case "discount":
			item.Discount, _, err = avroMoney(native, of, itemField(index, "discount"))
		}
		return err
	})
	if err != nil {
		return err
	}
	return requireItem(index, priced, counted)
}

func (o *Order) readAvroCoupons(native any, of *avroType) error {
	if native, of = of.settle(native); of == nil {
		return nil
	}
	if of.kind != avroArray {
		return topField("coupons").broken("", "must be an array of strings, not Avro "+of.describe())
	}
	for i, element := range native.([]any) {
		coupon, err := avroText(element, of.element, path{list: "coupons", index: i})
		if err != nil {
			return err
		}
		if coupon != "" {
			o.Coupons = append(o.Coupons, coupon)
		}
	}
	return nil
}

func (o *Order) readAvroAttributes(native any, of *avroType) error {
	if native, of = of.settle(native); of == nil {
		return nil
	}
	if of.kind != avroMap {
		return topField("attributes").broken("", "must be a map of strings, not Avro "+of.describe())
	}
	for name, element := range native.(map[string]any) {
		if _, err := validText(name, topField("attributes")); err != nil {
			return err
		}
		value, err := avroScalar(element, of.element, attributeField(name))
		if err != nil {
			return err
		}
		if value != "" {
			o.Attributes = append(o.Attributes, Attribute{Name: name, Value: value})
		}
	}
	return nil
}
