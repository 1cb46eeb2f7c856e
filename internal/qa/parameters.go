package qa

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// Parameter is one parameter of a postback: what it must be, what arrived, and why.
type Parameter struct {
	// Name is as it was sent, or as it should have been.
	Name string `json:"name"`
	// Want is the value that the order asks for, empty for a parameter that nothing in the order asks for.
	Want string `json:"want"`
	// Got is what the fake CJ read, decoded; empty where the parameter is missing.
	Got string `json:"got"`
	OK  bool   `json:"ok"`
	// From says where the value stands in the order or the configuration.
	From string `json:"from"`
	Rule Rule   `json:"-"`
}

// wanted is a parameter that an order asks for, derived from the order alone.
type wanted struct {
	name, value, from string
	// same compares two values; nil means that they must be the same text.
	same func(want, got string) bool
}

// wantedOf lists what an order asks for, in the order of CJ's template (docs.cj.com/docs/s2s-implementation).
func wantedOf(account Account, s *Scenario, clickID string) []wanted {
	o := s.Order
	action := account.action(o)
	all := []wanted{
		{name: "CID", value: account.EnterpriseID, from: "cj.enterprise_id"},
		{name: "TYPE", value: account.Actions[action], from: "cj.actions." + action},
		{name: "METHOD", value: "S2S", from: "fixed"},
		{name: "CJEVENT", value: clickID, from: "the test click"},
		{name: "EVENTTIME", value: o.ConfirmedAt.UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z"), from: "confirmed_at", same: sameInstant},
		{name: "OID", value: o.ID, from: "order_id"},
		{name: "CURRENCY", value: o.Currency, from: "currency"},
	}
	optional := func(name, value, from string) {
		if value != "" {
			all = append(all, wanted{name: name, value: value, from: from})
		}
	}
	money := func(name string, value schema.Money, from string) {
		all = append(all, wanted{name: name, value: amountText(exact(value)), from: from, same: sameNumber})
	}
	optional("COUPON", strings.Join(o.Coupons, ","), "coupons")
	if o.Amount != nil {
		money("AMOUNT", *o.Amount, "amount")
	}
	for i, item := range o.Items {
		n, from := strconv.Itoa(i+1), fmt.Sprintf("items[%d].", i)
		optional("ITEM"+n, item.SKU, from+"sku")
		money("AMT"+n, item.UnitPrice, from+"unit_price")
		optional("QTY"+n, strconv.FormatInt(item.Quantity, 10), from+"quantity")
		if !item.Discount.IsZero() {
			money("DCNT"+n, item.Discount, from+"discount")
		}
	}
	if !o.Discount.IsZero() {
		money("DISCOUNT", o.Discount, "discount")
	}
	optional("CUST_STATUS", o.CustomerStatus, "customer_status")
	optional("customerCountry", strings.ToUpper(o.CustomerCountry), "customer_country")
	for _, attribute := range o.Attributes {
		name, from := account.parameterName(attribute.Name), "attributes."+attribute.Name
		if name != attribute.Name {
			from += ", renamed by cj.attribute_names"
		}
		optional(name, attribute.Value, from)
	}
	optional("SIGNATURE", account.Signature, "cj.signature")
	return all
}

// compare sets what an order asks for beside what arrived, in the order of arrival; what is missing comes last.
// received is nil where nothing arrived: then nothing is OK.
func compare(wants []wanted, received *cjtest.Received) []Parameter {
	var arrived cjtest.Params
	if received != nil {
		arrived = received.Params()
	}
	met := make([]bool, len(wants))
	var all []Parameter
	for _, param := range arrived {
		p := Parameter{Name: param.Name, Got: param.Value, From: "nothing in the order"}
		for i, want := range wants {
			if met[i] || !strings.EqualFold(want.name, param.Name) {
				continue
			}
			met[i] = true
			p.Want, p.From, p.OK = want.value, want.from, want.matches(param.Value)
			break
		}
		all = append(all, explained(p))
	}
	for i, want := range wants {
		if !met[i] {
			all = append(all, explained(Parameter{Name: want.name, Want: want.value, From: want.from}))
		}
	}
	return all
}

func (w wanted) matches(got string) bool {
	if w.same != nil {
		return w.same(w.value, got)
	}
	return w.value == got
}

// explained adds the rule, and takes away what the report may not hold.
func explained(p Parameter) Parameter {
	p.Rule = ruleOf(p.Name, p.Want)
	if strings.EqualFold(p.Name, signatureName) {
		p.Want, p.Got = hidden(p.Want), hidden(p.Got)
	}
	p.Name, p.From, p.Want, p.Got = impersonal(p.Name), impersonal(p.From), impersonal(p.Want), impersonal(p.Got)
	return p
}

// sameInstant compares times, whatever zone or number of decimals they are written with.
func sameInstant(want, got string) bool {
	w, errWant := time.Parse(time.RFC3339Nano, want)
	g, errGot := time.Parse(time.RFC3339Nano, got)
	return errWant == nil && errGot == nil && w.Equal(g)
}
