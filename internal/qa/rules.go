package qa

import "strings"

// Rule is what CJ is known to want of one parameter.
type Rule struct {
	// Text is the rule in plain words.
	Text string
	// Evidence says how well it is known.
	Evidence Evidence
	// Question is what CJ's engineer should confirm, or empty.
	Question string
}

const (
	askDCNT     = "DCNTn is sent as the discount of the whole line (all units together), and DISCOUNT comes on top of it. Is that right?"
	askAmount   = "AMOUNT is sent before the order's own discount, which would go out beside it as DISCOUNT. Is that right?"
	askCoupons  = "Several coupon codes are joined by a comma in COUPON. Is that the right separator?"
	askNames    = "Are the names of the vertical parameters as sent here the ones that this account uses? CJ has two spellings of many."
	askSecret   = "Does this account need SIGNATURE at all?"
	askTime     = "Does EVENTTIME have an earliest accepted value besides the click's own time?"
	askResponse = "Which status and body does the endpoint answer for success, for a broken order and for a duplicate? Is repeating the same order id safe?"
)

// rules are by parameter name in upper case, numbered ones with n for the number. Sources: docs.cj.com/docs
// (s2s-implementation, neworders-api-implementation, restatements-datafile-implementation), CJ's Tracking API
// schema, and clients that CJ publishes.
var rules = map[string]Rule{
	"CID":         {"The enterprise id, a number. It is not the company id, which CJ's reports use.", Documented, ""},
	"TYPE":        {"The action tracker id, a number. Each kind of event has its own.", Documented, ""},
	"METHOD":      {"Always S2S.", Documented, ""},
	"CJEVENT":     {"The click id exactly as CJ issued it, at most 64 letters and digits. Without it the order is not attributed.", Documented, ""},
	"EVENTTIME":   {"ISO 8601, not in the future. It is sent in UTC with milliseconds, and should not be before the click.", Documented, askTime},
	"OID":         {"Letters, digits, dash and underscore, no personal data. Order id, action tracker and enterprise together are one order.", Documented, ""},
	"CURRENCY":    {"ISO 4217, one for all amounts of the order. An empty one fails the order.", Documented, ""},
	"COUPON":      {"The coupon code, at most 256 characters. It may decide whether the order earns a commission.", Inferred, ""},
	"AMOUNT":      {"The subtotal of an order without items, without tax and shipping, before the order's discount. CJ's sample file has it so; one of CJ's own clients does not.", Inferred, askAmount},
	"ITEMn":       {"The SKU, as in the product feed: letters, digits, dash and underscore, at most 100.", InCode, ""},
	"AMTn":        {"The price of one unit before discount, tax and shipping. CJ multiplies it by QTYn.", InCode, ""},
	"QTYn":        {"How many units, a whole number.", InCode, ""},
	"DCNTn":       {"The discount of the whole line, all units together, as a positive number. CJ's own sample adds up in no other reading.", Inferred, askDCNT},
	"DISCOUNT":    {"The discount of the order as a whole, as a positive number. It must not repeat the discounts of items.", Documented, ""},
	"CUST_STATUS": {"New, Return or Lapsed.", Documented, ""},
	// Only the name of CJ's API is listed; the pixel calls it CUST_COUNTRY.
	"CUSTOMERCOUNTRY": {"The customer's country, ISO 3166-1 alpha-2.", InCode, ""},
	"SIGNATURE":       {"A static secret that CJ issued to some accounts. CJ's template does not have it any more.", Unknown, askSecret},
}

// ruleOf finds the rule of a parameter. A name that is none of CJ's order parameters is a vertical or custom one.
func ruleOf(name, value string) Rule {
	upper := strings.ToUpper(name)
	if family := strings.TrimRight(upper, "0123456789"); family != upper {
		if rule, known := rules[family+"n"]; known {
			return rule
		}
	}
	rule, known := rules[upper]
	switch {
	case !known:
		return verticalRule(name)
	case upper == "COUPON" && strings.Contains(value, ","):
		return Rule{"The coupon codes, at most 256 characters together. How CJ separates several is not documented; a comma is what CJ's own clients send.", Unknown, askCoupons}
	}
	return rule
}
