package postback

import (
	"strconv"

	"github.com/cjrelay/cjrelay/schema"
)

// maxItems is CJ's limit of items in one order (docs.cj.com/docs/neworders-api-implementation).
const maxItems = 100

// appendAmounts writes what the order is worth: its items or its amount, then the order's own discount.
func appendAmounts(q []byte, o *schema.Order) ([]byte, error) {
	var err error
	switch {
	case len(o.Items) > 0 && o.Amount != nil:
		return nil, refuse("amount", "", "must not be given beside items, which already say what the order is worth")
	case len(o.Items) > maxItems:
		return nil, refuse("items", "("+strconv.Itoa(len(o.Items))+" items)", "may be at most 100, CJ's limit; report this order by CJ's API or data file after asking CJ")
	case len(o.Items) > 0:
		for i := range o.Items {
			if q, err = appendItem(q, i, &o.Items[i]); err != nil {
				return nil, err
			}
		}
	case o.Amount != nil:
		if q, err = appendMoney(append(q, "&AMOUNT="...), "amount", *o.Amount); err != nil {
			return nil, err
		}
	default:
		return nil, refuse("items", "", "or amount must be given")
	}
	if o.Discount.IsZero() {
		return q, nil
	}
	return appendMoney(append(q, "&DISCOUNT="...), "discount", o.Discount)
}

// appendItem writes one line. CJ numbers lines from 1 without gaps.
func appendItem(q []byte, index int, item *schema.Item) ([]byte, error) {
	if !isIdentifier(item.SKU, maxSKU) {
		return nil, refuseIdentifier(itemField(index, "sku"), item.SKU, maxSKU)
	}
	number := int64(index + 1)
	q = strconv.AppendInt(append(q, "&ITEM"...), number, 10)
	q = append(append(q, '='), item.SKU...)

	q = strconv.AppendInt(append(q, "&AMT"...), number, 10)
	price := item.UnitPrice.String()
	if price[0] == '-' {
		return nil, refuseNegative(itemField(index, "unit_price"), price)
	}
	q = append(append(q, '='), price...)

	if item.Quantity < 0 {
		return nil, refuseNegative(itemField(index, "quantity"), strconv.FormatInt(item.Quantity, 10))
	}
	q = strconv.AppendInt(append(q, "&QTY"...), number, 10)
	q = strconv.AppendInt(append(q, '='), item.Quantity, 10)

	if item.Discount.IsZero() {
		return q, nil
	}
	discount := item.Discount.String()
	if discount[0] == '-' {
		return nil, refuseNegative(itemField(index, "discount"), discount)
	}
	q = strconv.AppendInt(append(q, "&DCNT"...), number, 10)
	return append(append(q, '='), discount...), nil
}

func appendMoney(q []byte, field string, m schema.Money) ([]byte, error) {
	text := m.String()
	if text[0] == '-' {
		return nil, refuseNegative(field, text)
	}
	return append(q, text...), nil
}

func refuseNegative(field, value string) error {
	return refuse(field, value, "must not be negative; CJ takes returns as corrections, not as postbacks")
}

func itemField(index int, name string) string {
	return "items[" + strconv.Itoa(index) + "]." + name
}
