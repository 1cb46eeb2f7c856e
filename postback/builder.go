package postback

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Builder builds the queries of one advertiser. It does not change after NewBuilder; any number of
// goroutines may use it.
type Builder struct {
	advertiser Advertiser
	// prefix holds the parameters before the click id, by tracker id.
	prefix map[string]string
	names  attributeNames
	// suffix is the signature parameter with its separator, or empty. It is secret.
	suffix   string
	maxBytes int
}

// NewBuilder checks the set-up and copies it. The error is a *schema.FieldError whose Field is the key below
// cj in the configuration, for example "enterprise_id".
func NewBuilder(a Advertiser) (*Builder, error) {
	if err := a.validate(); err != nil {
		return nil, err
	}
	names, err := newAttributeNames(a.AttributeNames)
	if err != nil {
		return nil, err
	}
	a.Actions = maps.Clone(a.Actions)
	b := &Builder{advertiser: a, prefix: map[string]string{}, names: names, maxBytes: a.MaxQueryBytes}
	if b.maxBytes == 0 {
		b.maxBytes = MaxQueryBytesDefault
	}
	for _, id := range a.Actions {
		b.prefix[id] = "CID=" + a.EnterpriseID + "&TYPE=" + id + "&METHOD=S2S&CJEVENT="
	}
	if a.Signature != "" {
		b.suffix = string(appendParam(nil, "SIGNATURE", a.Signature))
	}
	return b, nil
}

// Format writes the builder's set-up without its secrets, under every verb.
func (b *Builder) Format(state fmt.State, verb rune) { b.advertiser.Format(state, verb) }

// Tracker resolves an order's action to the action's name and its CJ action tracker id. An empty action is
// the default one. The error is a *schema.FieldError that lists the configured actions.
func (b *Builder) Tracker(action string) (name, id string, err error) {
	if name = action; name == "" {
		name = b.advertiser.DefaultAction
	}
	if id, known := b.advertiser.Actions[name]; known {
		return name, id, nil
	}
	known := actionList(b.advertiser.Actions)
	if name == "" {
		return "", "", refuse("action", "", "must be given, since no default action is configured; configured are "+known)
	}
	return "", "", refuse("action", shown(name), "is not a configured action; configured are "+known)
}

func actionList(actions map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(actions)), ", ")
}

// Build writes the query that reports order o for the click clickID. The same order and click give the same
// bytes, whatever now is: now only refuses an order that was confirmed after it, with Field "confirmed_at".
//
// Parameters stand in the order of CJ's template (docs.cj.com/docs/s2s-implementation): CID, TYPE, METHOD,
// CJEVENT, EVENTTIME, OID, CURRENCY, COUPON, then AMOUNT or ITEMn AMTn QTYn DCNTn, DISCOUNT, CUST_STATUS,
// customerCountry, the attributes in the order's own sequence, and SIGNATURE. A parameter without a value is
// left out, since CJ fails on an empty one (documented for CURRENCY), and so is a discount of zero.
// AMTn is the price of one unit, DCNTn the discount of the whole line, and DISCOUNT the discount of the order
// without those of its lines. A value is percent-encoded but for the unreserved characters of RFC 3986.
//
// The error is a *schema.FieldError that names the order's field, the value as far as it may be shown and the
// rule. Nothing is ever cut to fit. Values of vertical parameters are not checked against the type that CJ
// documents for them: CJ does not say that it drops others, so they pass as they are.
func (b *Builder) Build(o *schema.Order, clickID string, now time.Time) (Query, error) {
	_, tracker, err := b.Tracker(o.Action)
	if err != nil {
		return Query{}, err
	}
	if err := checkHead(o, clickID, now); err != nil {
		return Query{}, err
	}

	var scratch [1 << 10]byte
	q := append(scratch[:0], b.prefix[tracker]...)
	q = append(q, clickID...)
	q = append(q, "&EVENTTIME="...)
	q = appendTime(q, o.ConfirmedAt)
	q = append(q, "&OID="...)
	q = append(q, o.ID...)
	q = append(q, "&CURRENCY="...)
	q = append(q, o.Currency...)
	if q, err = appendCoupons(q, o.Coupons); err != nil {
		return Query{}, err
	}
	if q, err = appendAmounts(q, o); err != nil {
		return Query{}, err
	}
	if o.CustomerStatus != "" {
		if err := checkText("customer_status", o.CustomerStatus); err != nil {
			return Query{}, err
		}
		q = appendParam(q, "CUST_STATUS", o.CustomerStatus)
	}
	if q, err = appendCountry(q, o.CustomerCountry); err != nil {
		return Query{}, err
	}
	if q, err = b.names.append(q, o.Attributes); err != nil {
		return Query{}, err
	}
	q = append(q, b.suffix...)

	if len(q) > b.maxBytes {
		return Query{}, refuse("query", "("+strconv.Itoa(len(q))+" bytes)",
			"may be at most "+strconv.Itoa(b.maxBytes)+" bytes long; raise max_query if CJ agrees, or report this order by CJ's data file")
	}
	return Query{text: string(q)}, nil
}
