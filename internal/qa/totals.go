package qa

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// exact is an amount that was checked already, for arithmetic of our own.
func exact(m schema.Money) decimal.Decimal { return decimal.RequireFromString(m.String()) }

// totalsOf works out what an order comes to. A line's discount counts once, not for each unit.
func totalsOf(o *schema.Order) Totals {
	t := Totals{Lines: len(o.Items), OrderDiscount: exact(o.Discount)}
	if o.Amount != nil {
		t.Subtotal = exact(*o.Amount)
	}
	for _, item := range o.Items {
		t.Units += item.Quantity
		t.Subtotal = t.Subtotal.Add(exact(item.UnitPrice).Mul(decimal.NewFromInt(item.Quantity)))
		t.ItemDiscounts = t.ItemDiscounts.Add(exact(item.Discount))
	}
	t.Total = t.Subtotal.Sub(t.ItemDiscounts).Sub(t.OrderDiscount)
	return t
}

// Figure is one total: how it comes about, what it must be and what CJ would make of it.
type Figure struct {
	Name string `json:"name"`
	// Formula is the arithmetic, for people.
	Formula string `json:"formula"`
	Want    string `json:"want"`
	// Got is what the fake CJ understood, empty where it got nothing or nothing that can be computed.
	Got string `json:"got"`
	OK  bool   `json:"ok"`
}

// figures sets the expected totals beside those of what arrived; received is nil where nothing did.
func figures(s *Scenario, received *cjtest.Received) []Figure {
	understood := map[string]string{}
	if received != nil {
		understood = understoodTotals(received)
	}
	want := s.Expected
	var all []Figure
	compare := func(name, formula, want string) {
		got := understood[name]
		all = append(all, Figure{Name: name, Formula: formula, Want: want, Got: got, OK: sameNumber(want, got)})
	}
	if want.Lines > 0 {
		compare("Products", "", strconv.Itoa(want.Lines))
		compare("Units", unitsFormula(s.Order), strconv.FormatInt(want.Units, 10))
	}
	compare("Subtotal", subtotalFormula(s.Order), amountText(want.Subtotal))
	if want.Lines > 0 {
		compare("Item discounts", discountsFormula(s.Order), amountText(want.ItemDiscounts))
	}
	compare("Order discount", "", amountText(want.OrderDiscount))
	compare("Total", totalFormula(want), amountText(want.Total))
	return all
}

// understoodTotals adds up the parameters that arrived. The total is the fake CJ's own.
func understoodTotals(received *cjtest.Received) map[string]string {
	params := received.Params()
	sum := func(prefix string, priced bool) string {
		total := decimal.Zero
		for _, param := range params {
			number, ok := numbered(param.Name, prefix)
			if !ok {
				continue
			}
			value, err := decimal.NewFromString(param.Value)
			if err != nil {
				return ""
			}
			if priced {
				quantity, err := decimal.NewFromString(params.Get("QTY" + number))
				if err != nil {
					return ""
				}
				value = value.Mul(quantity)
			}
			total = total.Add(value)
		}
		return amountText(total)
	}
	lines := 0
	for _, param := range params {
		if _, ok := numbered(param.Name, "ITEM"); ok {
			lines++
		}
	}
	totals := map[string]string{
		"Products": strconv.Itoa(lines), "Units": strings.TrimSuffix(sum("QTY", false), ".00"), "Subtotal": sum("AMT", true),
		"Item discounts": sum("DCNT", false), "Order discount": params.Get("DISCOUNT"), "Total": received.Total,
	}
	if amount := params.Get("AMOUNT"); amount != "" {
		totals["Subtotal"] = amount
	}
	if totals["Order discount"] == "" {
		totals["Order discount"] = "0.00"
	}
	return totals
}

// numbered splits ITEM12 with prefix ITEM into its number. ITEMNAME and ITEM are not numbered.
func numbered(name, prefix string) (number string, ok bool) {
	if len(name) <= len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) {
		return "", false
	}
	number = name[len(prefix):]
	return number, strings.Trim(number, "0123456789") == ""
}

// sameNumber compares as decimals: 5 is 5.00.
func sameNumber(want, got string) bool {
	w, errWant := decimal.NewFromString(want)
	g, errGot := decimal.NewFromString(got)
	return errWant == nil && errGot == nil && w.Equal(g)
}

// amountText writes an amount exactly, with at least two decimals and no zero after those.
func amountText(amount decimal.Decimal) string {
	text := amount.String()
	if _, fraction, _ := strings.Cut(text, "."); len(fraction) < 2 {
		return amount.StringFixed(2)
	}
	return text
}

func unitsFormula(o *schema.Order) string {
	return sumOf(o.Items, func(i schema.Item) string { return strconv.FormatInt(i.Quantity, 10) })
}

func subtotalFormula(o *schema.Order) string {
	return sumOf(o.Items, func(i schema.Item) string { return fmt.Sprintf("%d × %s", i.Quantity, i.UnitPrice) })
}

func discountsFormula(o *schema.Order) string {
	return sumOf(o.Items, func(i schema.Item) string {
		if i.Discount.IsZero() {
			return ""
		}
		return i.Discount.String()
	})
}

// sumOf joins what the items come to with plus signs, leaving out those that come to nothing.
func sumOf(items []schema.Item, term func(schema.Item) string) string {
	var terms []string
	for _, item := range items {
		if text := term(item); text != "" {
			terms = append(terms, text)
		}
	}
	return strings.Join(terms, " + ")
}

func totalFormula(t Totals) string {
	text := amountText(t.Subtotal)
	if t.Lines > 0 {
		text += " − " + amountText(t.ItemDiscounts)
	}
	return text + " − " + amountText(t.OrderDiscount)
}
