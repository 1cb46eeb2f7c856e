package cjtest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cjrelay/cjrelay/schema"
)

const (
	maxOrderID  = 96  // CJ's WooCommerce plugin cuts there
	maxClickID  = 64  // docs.cj.com/docs/s2s-implementation
	maxCoupon   = 256 // public copies of CJ's documentation
	maxProblems = 32
)

// rulebook holds the ids that this CJ account knows; an empty list allows any number.
type rulebook struct {
	enterprises []string
	actions     []string
}

// reading is one query, taken apart and judged. The zero value is ready; take one from readings where it is
// not kept.
type reading struct {
	params   []Param
	values   [parameters]string
	present  [parameters]bool
	lines    []line // by item number, from 1
	extras   map[string]struct{}
	problems []string
	more     int // problems beyond maxProblems
}

// readings keeps the buffers of readings, which would otherwise be most of what a request allocates.
var readings = sync.Pool{New: func() any { return new(reading) }}

func (r *reading) release() {
	r.reset()
	readings.Put(r)
}

func (r *reading) reset() {
	clear(r.params)
	clear(r.lines)
	clear(r.extras)
	*r = reading{params: r.params[:0], lines: r.lines[:0], extras: r.extras}
}

// key is CJ's identity of an order (docs.cj.com/docs/neworders-api-implementation).
type key struct{ enterprise, action, order string }

func (r *reading) key() key {
	return key{enterprise: r.values[cid], action: r.values[action], order: r.values[oid]}
}

func (r *reading) complain(field, value, rule string) {
	if len(r.problems) == maxProblems {
		r.more++
		return
	}
	r.problems = append(r.problems, (&schema.FieldError{Field: field, Value: value, Rule: rule}).Error())
}

// fieldName writes a parameter's name as plain text where it is an ordinary one.
func fieldName(name string) string {
	if name != "" && len(name) <= maxOrderID && all(name, isNameCharacter) {
		return name
	}
	return shown(name)
}

// shown quotes a value in a problem, unless it holds somebody's address.
func shown(value string) string {
	if hasEmail(value) {
		return schema.Hidden(value, nil)
	}
	return schema.Quoted(value)
}

// listed returns the problems for people.
func (r *reading) listed() []string {
	if r.more == 0 {
		return r.problems
	}
	return append(slices.Clone(r.problems), fmt.Sprintf("and %d more", r.more))
}

// take reads a query: every parameter to its place.
func (r *reading) take(query string) {
	r.split(query)
	for _, param := range r.params {
		r.place(param)
	}
}

// judge checks a query that was taken against every rule. at is when it arrived, notGET that its method was
// another one.
func (r *reading) judge(book *rulebook, at time.Time, notGET bool) {
	if notGET {
		r.complain("the request", "", "must be a GET")
	}
	for _, param := range r.params {
		if hasEmail(param.Value) || hasEmail(param.Name) {
			r.complain(fieldName(param.Name), schema.Hidden(param.Value, nil), "holds an e-mail address: send no personal data, CJ forbids it")
		}
	}
	for _, required := range [...]parameter{cid, action, method, cjevent, eventTime, oid, currency} {
		if !r.present[required] {
			r.complain(parameterNames[required], "", "is missing: every postback needs it")
		}
	}
	r.judgeIdentity(book)
	r.judgeTime(at)
	r.judgeDetails()
	r.judgeItems()
	r.judgeTotal()
}

func (r *reading) place(param Param) {
	if param.Value == "" {
		r.complain(fieldName(param.Name), "", "is empty: leave a parameter out where there is no value (CJ fails an order with an empty CURRENCY)")
	}
	if family, number, ok := itemParameter(param.Name); ok {
		r.placeItem(family, number, param)
		return
	}
	known := classify(param.Name)
	if known == custom {
		if r.extras == nil {
			r.extras = make(map[string]struct{})
		}
		name := strings.ToLower(param.Name)
		if _, repeated := r.extras[name]; repeated {
			r.complainRepeated(param.Name)
		}
		r.extras[name] = struct{}{}
		return
	}
	if r.present[known] {
		r.complainRepeated(param.Name)
		return
	}
	r.present[known] = true
	r.values[known] = param.Value
}

func (r *reading) complainRepeated(name string) {
	r.complain(fieldName(name), "", "is repeated: send each parameter once, CJ ignores the letter case of names")
}

func (r *reading) judgeIdentity(book *rulebook) {
	r.judgeNumber(cid, book.enterprises, "CJ's enterprise id, not the company id")
	r.judgeNumber(action, book.actions, "the action tracker id")
	if value := r.values[method]; value != "" && value != "S2S" {
		r.complain("METHOD", shown(value), "must be S2S")
	}
	if value := r.values[cjevent]; value != "" {
		if !all(value, isAlphanumeric) {
			r.complain("CJEVENT", schema.Hidden(value, func(c rune) bool { return c < utf8.RuneSelf && isAlphanumeric(byte(c)) }), "allows only A-Z a-z 0-9: send the cookie's value unchanged")
		}
		if utf8.RuneCountInString(value) > maxClickID {
			r.complain("CJEVENT", schema.Hidden(value, nil), "may have 64 characters at most")
		}
	}
	if value := r.values[oid]; value != "" {
		r.judgeName("OID", value, maxOrderID)
	}
}

func (r *reading) judgeNumber(p parameter, allowed []string, meaning string) {
	value := r.values[p]
	switch {
	case value == "":
	case !all(value, isDigit):
		r.complain(parameterNames[p], shown(value), "must be a number: "+meaning)
	case len(allowed) > 0 && !slices.Contains(allowed, value):
		r.complain(parameterNames[p], shown(value), "is unknown here: send "+strings.Join(allowed, " or ")+", "+meaning)
	}
}

// judgeName checks the characters that CJ allows in order ids and SKUs.
func (r *reading) judgeName(field, value string, limit int) {
	if !all(value, isNameCharacter) {
		r.complain(field, shown(value), "allows only A-Z a-z 0-9 - _")
	}
	if utf8.RuneCountInString(value) > limit {
		r.complain(field, shown(value), fmt.Sprintf("may have %d characters at most: do not cut it, two orders could become one", limit))
	}
}

func (r *reading) judgeTime(at time.Time) {
	value := r.values[eventTime]
	if value == "" {
		return
	}
	event, ok := parseEventTime(value)
	if !ok {
		r.complain("EVENTTIME", shown(value), "must be ISO 8601 with seconds and zone like 2024-01-15T18:08:36.089Z")
		return
	}
	if event.After(at) {
		r.complain("EVENTTIME", shown(value), "is in the future: CJ drops such an order, check the clocks")
	}
}

func (r *reading) judgeDetails() {
	if value := r.values[currency]; value != "" && (len(value) != 3 || !all(value, isLetter)) {
		r.complain("CURRENCY", shown(value), "must be three letters like USD (ISO 4217)")
	}
	if value := r.values[coupon]; utf8.RuneCountInString(value) > maxCoupon {
		r.complain("COUPON", shown(value), "may have 256 characters at most")
	}
	switch value := r.values[customerStatus]; value {
	case "", "New", "Return", "Lapsed":
	default:
		r.complain("CUST_STATUS", shown(value), "must be New, Return or Lapsed")
	}
	if value := r.values[customerCountry]; value != "" && (len(value) != 2 || !all(value, isUpper)) {
		r.complain("CUST_COUNTRY", shown(value), "must be two capital letters like US (ISO 3166-1 alpha-2)")
	}
	for _, p := range [...]parameter{amount, discount, taxAmount} {
		r.judgeMoney(parameterNames[p], r.values[p])
	}
}

func (r *reading) judgeMoney(field, value string) {
	if value != "" && !isMoney(value) {
		r.complain(field, shown(value), "must be a decimal like 22.99 without sign, separator, currency or exponent")
	}
}
