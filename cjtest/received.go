package cjtest

import (
	"strings"
	"time"
)

// Verdict judges what a request said, whatever the script made of its answer.
type Verdict string

// The verdicts.
const (
	// Valid: the request keeps every rule. CJ would book the order.
	Valid Verdict = "valid"
	// Duplicate: valid, but the same order (enterprise id + action tracker + order id) was acknowledged
	// before. CJ answers 200 and books nothing again.
	Duplicate Verdict = "duplicate"
	// Refused: the request breaks at least one rule, see Received.Problems. CJ would book nothing.
	Refused Verdict = "refused"
)

// Received is one request to the postback endpoint.
type Received struct {
	// At is when the request arrived, in UTC.
	At time.Time `json:"at"`
	// OrderID is the decoded OID, as all identities here: the first one where a parameter is repeated, empty
	// where it is missing.
	OrderID string `json:"order_id"`
	// Action is TYPE, the action tracker.
	Action string `json:"action"`
	// EnterpriseID is CID.
	EnterpriseID string `json:"enterprise_id"`
	// ClickID is CJEVENT.
	ClickID string `json:"cjevent"`
	// Total is what CJ would make of the amounts: sum(AMTn*QTYn - DCNTn) - DISCOUNT, or AMOUNT - DISCOUNT
	// without items. Exact, with at least two decimals ("156.97", "5.00"); empty where it cannot be computed.
	Total string `json:"total"`
	// Status is the status that was sent, 0 while or when there was none: hang, reset, broken answer, or a
	// client that did not wait. A client may have been gone when its answer was written.
	Status int `json:"status"`
	// Verdict judges the request itself.
	Verdict Verdict `json:"verdict"`
	// Problems names each broken rule of a refused request, at most 32 and a last line with how many more.
	// They never show a click id or an e-mail address.
	Problems []string `json:"problems,omitempty"`
	// Query is the raw query as it arrived, byte for byte.
	Query string `json:"query"`
}

// Params takes the query apart.
func (r Received) Params() Params {
	var taken reading
	taken.split(r.Query)
	return taken.params
}

// Param is one decoded parameter, its name in the letters that were sent.
type Param struct{ Name, Value string }

// Params are the parameters of one request in the order of the query, repeated ones included.
type Params []Param

// Get returns the value of the first parameter of that name in any letter case (CJ ignores the case of
// names), or nothing where there is none.
func (p Params) Get(name string) string {
	for _, param := range p {
		if strings.EqualFold(param.Name, name) {
			return param.Value
		}
	}
	return ""
}

// Summary counts what arrived since the start or the latest Reset.
type Summary struct {
	// Requests is every request to the postback endpoint.
	Requests int `json:"requests"`
	// Acknowledged is distinct orders of which a valid request was answered 2xx: what CJ would book.
	Acknowledged int `json:"acknowledged"`
	// Duplicates is requests with the verdict Duplicate.
	Duplicates int `json:"duplicates"`
	// Refused is requests with the verdict Refused, also where a silent server answered 200.
	Refused int `json:"refused"`
	// ByStatus is requests by the status sent. Status 0 is those without an answer, or still without one.
	ByStatus map[int]int `json:"by_status"`
}
