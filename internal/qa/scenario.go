package qa

import (
	"github.com/shopspring/decimal"

	"github.com/cjrelay/cjrelay/schema"
)

// Case is one kind of order that CJ wants to see.
type Case string

// The cases, in the order of CJ's lists.
const (
	RetailPlain         Case = "retail-no-discount"
	RetailOrderDiscount Case = "retail-order-discount"
	RetailItemDiscount  Case = "retail-item-discount"
	RetailBothDiscounts Case = "retail-both-discounts"
	TravelReservation   Case = "travel-reservation"
	FinanceApplication  Case = "finance-application"
	FinancePrequalified Case = "finance-prequalified"
	LeadWithoutItems    Case = "lead-no-items"
)

// CaseInfo describes a case.
type CaseInfo struct {
	Case Case
	// Vertical is CJ's name of the trade: retail, travel, finance; or lead, for an action without items.
	Vertical string
	// Title is a heading.
	Title string
	// Wants is what CJ asks of the order, in one sentence.
	Wants string
	// Evidence says how well that is known.
	Evidence Evidence
}

// Cases lists every case. Retail, travel and finance are CJ's (docs.cj.com/docs/neworders-api-validation and
// universal-tag-validation); an action without items is reported with other parameters, so it is tried too.
var Cases = []CaseInfo{
	{RetailPlain, "retail", "Retail, no discount", "At least two products, one of them with a quantity of two.", Documented},
	{RetailOrderDiscount, "retail", "Retail, whole-order discount", "At least two products, one of them with a quantity of two, and a code that discounts the whole order.", Documented},
	{RetailItemDiscount, "retail", "Retail, item discount", "At least two products, one of them with a quantity of two, and a code that discounts one product.", Documented},
	{RetailBothDiscounts, "retail", "Retail, item and whole-order discount", "At least two products, one of them with a quantity of two, a code for one product and a code for the whole order.", Documented},
	{TravelReservation, "travel", "Travel, standard reservation", "A reservation with the travel parameters. Accepted and Declined updates go by CJ's API, not by postback.", Documented},
	{FinanceApplication, "finance", "Finance, standard application", "An application with the finance parameters.", Documented},
	{FinancePrequalified, "finance", "Finance, pre-qualified application", "An application of a pre-qualified applicant.", Documented},
	{LeadWithoutItems, "lead", "Lead without items", "An action that is reported by its amount alone.", Inferred},
}

// Info returns what Cases says of a case, or the zero CaseInfo.
func (c Case) Info() CaseInfo {
	for _, info := range Cases {
		if info.Case == c {
			return info
		}
	}
	return CaseInfo{}
}

// Scenario is one order to report, and what CJ must make of it.
type Scenario struct {
	// Name is short and unique in a run: the case for a sample, own-1, own-2, … for own orders.
	Name string
	// Case is which of CJ's cases the order covers, empty where it covers none.
	Case Case
	// Title is a heading.
	Title string
	Order *schema.Order
	// Expected is what the order comes to. For samples it is written beside the order, for own orders it is
	// computed from the order; never by package postback.
	Expected Totals
	// Notes are what a reader must know of this order.
	Notes []string
}

// Totals is what an order comes to. Amounts are in major units of the order's currency, exact.
type Totals struct {
	// Lines is the number of products, 0 for an order without items.
	Lines int
	// Units is the number of units on all lines.
	Units int64
	// Subtotal is what the units or the order cost before every discount.
	Subtotal decimal.Decimal
	// ItemDiscounts is the discounts of all lines, each for its whole line.
	ItemDiscounts decimal.Decimal
	// OrderDiscount is the discount of the order without those of its lines.
	OrderDiscount decimal.Decimal
	// Total is Subtotal - ItemDiscounts - OrderDiscount.
	Total decimal.Decimal
}
