package qa

import (
	"strconv"
	"strings"

	"github.com/cjrelay/cjrelay/schema"
)

// caseOf says which of CJ's cases an order covers, and why it covers none where that is so.
func caseOf(account Account, o *schema.Order) (covered Case, why string) {
	trade, prequalified := tradeOf(account, o)
	switch {
	case trade == "travel":
		return TravelReservation, ""
	case trade == "finance" && prequalified:
		return FinancePrequalified, ""
	case trade == "finance":
		return FinanceApplication, ""
	case o.Amount != nil:
		return LeadWithoutItems, ""
	}
	if why := retailLacks(o); why != "" {
		return "", why
	}
	ofItems, ofOrder := hasItemDiscount(o), !o.Discount.IsZero()
	switch {
	case ofItems && ofOrder:
		return RetailBothDiscounts, ""
	case ofItems:
		return RetailItemDiscount, ""
	case ofOrder:
		return RetailOrderDiscount, ""
	}
	return RetailPlain, ""
}

// retailLacks says what CJ wants of every retail test order and this one does not have.
func retailLacks(o *schema.Order) string {
	products, several := map[string]bool{}, false
	for _, item := range o.Items {
		products[item.SKU] = true
		several = several || item.Quantity >= 2
	}
	switch {
	case len(products) < 2:
		return "CJ wants at least two products in a retail test order; this one has one"
	case !several:
		return "CJ wants a quantity of two in a retail test order; this one has no line with more than one"
	}
	return ""
}

func hasItemDiscount(o *schema.Order) bool {
	for _, item := range o.Items {
		if !item.Discount.IsZero() {
			return true
		}
	}
	return false
}

// tradeOf tells travel and finance by the vertical parameters that only they have. Empty means neither.
func tradeOf(account Account, o *schema.Order) (trade string, prequalified bool) {
	for _, attribute := range o.Attributes {
		v := verticals()[strings.ToLower(account.parameterName(attribute.Name))]
		if v.trade != "" && v.trade != "all" && trade == "" {
			trade = v.trade
		}
		if v.name == "prequalify" && strings.EqualFold(attribute.Value, "Yes") {
			trade, prequalified = "finance", true
		}
	}
	return trade, prequalified
}

// Coverage is one of CJ's cases and the scenarios of a run that cover it: those that passed.
type Coverage struct {
	CaseInfo
	// By is the numbers of the scenarios, from 1; none where the run does not cover the case.
	By []string
}

// coverage lists every case.
func (r *Run) coverage() []Coverage {
	all := make([]Coverage, len(Cases))
	for i, info := range Cases {
		all[i].CaseInfo = info
		for n := range r.Results {
			if result := &r.Results[n]; result.Case == info.Case && result.Passed() {
				all[i].By = append(all[i].By, strconv.Itoa(n+1))
			}
		}
	}
	return all
}
