package cjtest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

const (
	maxItems = 100 // items of one order, CJ's documented limit
	maxSKU   = 100 // developers.cj.com, as quoted in CJ's own tag
)

// family is one of the four parameters of an order's line.
type family uint8

const (
	itemFamily family = iota
	amtFamily
	qtyFamily
	dcntFamily
	families
)

var familyNames = [families]string{"ITEM", "AMT", "QTY", "DCNT"}

// line is ITEMn, AMTn, QTYn and DCNTn of one number.
type line struct {
	values  [families]string
	present [families]bool
}

// itemParameter splits AMT12 into its family and number. A name such as ITEMNAME is not one. A family without
// a number is one, and a mistake.
func itemParameter(name string) (family, string, bool) {
	for f, prefix := range familyNames {
		if len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix) && all(name[len(prefix):], isDigit) {
			return family(f), name[len(prefix):], true
		}
	}
	return 0, "", false
}

func (r *reading) placeItem(f family, number string, param Param) {
	n, err := strconv.Atoi(number)
	switch {
	case number == "" || number[0] == '0':
		r.complain(fieldName(param.Name), "", "has no proper number: write ITEM1, ITEM2, … without leading zeros")
		return
	case err != nil || n > maxItems:
		r.complain(fieldName(param.Name), "", "is beyond 100: CJ takes at most 100 items for an order")
		return
	}
	for len(r.lines) < n {
		r.lines = append(r.lines, line{})
	}
	l := &r.lines[n-1]
	if l.present[f] {
		r.complainRepeated(param.Name)
		return
	}
	l.present[f] = true
	l.values[f] = param.Value
}

func (r *reading) judgeItems() {
	switch {
	case len(r.lines) > 0 && r.present[amount]:
		r.complain("AMOUNT", "", "stands beside items: send one or the other")
	case len(r.lines) == 0 && !r.present[amount]:
		r.complain("ITEM1", "", "is missing: send items, or AMOUNT for an action without items")
	}
	for i := range r.lines {
		l, number := &r.lines[i], i+1
		if l.present == [families]bool{} {
			r.complain("ITEM"+strconv.Itoa(number), "", "is missing: number the items from 1 without a gap")
			continue
		}
		for _, required := range [...]family{itemFamily, amtFamily, qtyFamily} {
			if !l.present[required] {
				r.complain(fmt.Sprintf("%s%d", familyNames[required], number), "", "is missing: every item needs ITEM, AMT and QTY")
			}
		}
		r.judgeLine(l, strconv.Itoa(number))
	}
}

func (r *reading) judgeLine(l *line, number string) {
	if sku := l.values[itemFamily]; sku != "" {
		r.judgeName("ITEM"+number, sku, maxSKU)
	}
	if quantity := l.values[qtyFamily]; !all(quantity, isDigit) {
		r.complain("QTY"+number, shown(quantity), "must be a whole number, zero or more")
	}
	r.judgeMoney("AMT"+number, l.values[amtFamily])
	r.judgeMoney("DCNT"+number, l.values[dcntFamily])
}

// judgeTotal refuses discounts that are larger than the order.
func (r *reading) judgeTotal() {
	discounted := r.present[discount]
	for i := range r.lines {
		discounted = discounted || r.lines[i].present[dcntFamily]
	}
	if !discounted {
		return
	}
	if total, ok := r.total(); ok && total.IsNegative() {
		r.complain("DISCOUNT", "", "and DCNT together are larger than the order: DCNT is for the whole line, and DISCOUNT must not repeat it")
	}
}

// total is what CJ makes of the amounts. DCNT counts once for its line, not for each unit: CJ's own sample
// file (docs.cj.com/docs/restatements-datafile-implementation) adds up in no other reading.
func (r *reading) total() (decimal.Decimal, bool) {
	if r.present[amount] == (len(r.lines) > 0) {
		return decimal.Zero, false
	}
	sum, ok := decimal.Zero, true
	number := func(value string) decimal.Decimal {
		ok = ok && isMoney(value)
		if !ok {
			return decimal.Zero
		}
		return decimal.RequireFromString(value)
	}
	if r.present[amount] {
		sum = number(r.values[amount])
	}
	for i := range r.lines {
		l := &r.lines[i]
		ok = ok && all(l.values[qtyFamily], isDigit)
		sum = sum.Add(number(l.values[amtFamily]).Mul(number(l.values[qtyFamily])))
		if l.present[dcntFamily] {
			sum = sum.Sub(number(l.values[dcntFamily]))
		}
	}
	if r.present[discount] {
		sum = sum.Sub(number(r.values[discount]))
	}
	return sum, ok
}

// totalText writes the total exactly, with at least two decimals, or nothing where there is none.
func (r *reading) totalText() string {
	total, ok := r.total()
	if !ok {
		return ""
	}
	text := total.String()
	if _, fraction, _ := strings.Cut(text, "."); len(fraction) < 2 {
		return total.StringFixed(2)
	}
	return text
}
