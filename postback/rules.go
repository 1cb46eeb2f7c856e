package postback

import (
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cjrelay/cjrelay/schema"
)

// What CJ takes. Order id and SKU: letters, digits, dash and underscore (docs.cj.com/docs/neworders-api-implementation).
// The lengths are those that CJ's own clients cut to; a cut order id could make one order of two.
const (
	maxOrderID = 96
	maxSKU     = 100
)

func refuse(field, value, rule string) error {
	return &schema.FieldError{Field: field, Value: value, Rule: rule}
}

// shown is schema.Quoted for values that may hold an encoded e-mail address, which has no @ to see.
func shown(value string) string {
	if containsEmail(value) {
		return schema.Hidden(value, nil)
	}
	return schema.Quoted(value)
}

// checkHead checks the parameters that every order has.
func checkHead(o *schema.Order, clickID string, now time.Time) error {
	switch {
	case clickID == "":
		return refuse("cjevent", "", "must be given; CJ attributes no order without a click id")
	case schema.ValidClickID(clickID) != nil:
		return refuse("cjevent", schema.Hidden(clickID, isAlphanumeric), "must be 1 to 64 letters and digits, passed on as CJ issued it")
	case !isIdentifier(o.ID, maxOrderID):
		return refuseIdentifier("order_id", o.ID, maxOrderID)
	case !isCurrency(o.Currency):
		return refuse("currency", shown(o.Currency), "must be a three-letter ISO 4217 code in upper case like USD")
	case o.ConfirmedAt.Unix() <= 0:
		return refuse("confirmed_at", "", "must be given, as a time after 1970")
	case o.ConfirmedAt.After(now):
		// CJ rejects an event time in the future (docs.cj.com/docs/neworders-api-implementation).
		return refuse("confirmed_at", o.ConfirmedAt.UTC().Format(time.RFC3339Nano),
			"must not be later than now, "+now.UTC().Format(time.RFC3339Nano)+"; CJ drops orders from the future")
	}
	return nil
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

func isCurrency(code string) bool {
	return len(code) == 3 && isUpper(code[0]) && isUpper(code[1]) && isUpper(code[2])
}

func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }

// isIdentifier reports whether an order id or a SKU passes CJ unharmed.
func isIdentifier(id string, limit int) bool {
	if id == "" || len(id) > limit {
		return false
	}
	for _, r := range id {
		if !isIdentifierRune(r) {
			return false
		}
	}
	return true
}

func isIdentifierRune(r rune) bool { return isAlphanumeric(r) || r == '-' || r == '_' }

// refuseIdentifier says why isIdentifier was false. An e-mail address comes first: that is the rule to know.
func refuseIdentifier(field, id string, limit int) error {
	if id == "" {
		return refuse(field, "", "must be given")
	}
	if containsEmail(id) {
		return refuse(field, schema.Hidden(id, nil), emailRule)
	}
	position := 0
	for _, r := range id {
		position++
		if !isIdentifierRune(r) {
			return refuse(field, shown(id), "may have only the characters A-Z a-z 0-9 - _ but has "+
				strconv.QuoteRune(r)+" at position "+strconv.Itoa(position)+"; CJ drops or changes others")
		}
	}
	return refuse(field, shown(id), "may be at most "+strconv.Itoa(limit)+" characters long; CJ cuts longer ones, and two could become one")
}

// checkText refuses what no free text may hold. The value stays hidden: it may be private.
func checkText(field, value string) error {
	if isPlain(value) {
		return nil
	}
	legal := func(r rune) bool { return r != utf8.RuneError && !unicode.IsControl(r) }
	if !utf8.ValidString(value) {
		return refuse(field, schema.Hidden(value, legal), "must be valid UTF-8")
	}
	for _, r := range value {
		if unicode.IsControl(r) {
			return refuse(field, schema.Hidden(value, legal), "may not contain control characters such as line breaks")
		}
	}
	if containsEmail(value) {
		return refuse(field, schema.Hidden(value, nil), emailRule)
	}
	return nil
}

// isPlain reports that a value is printable ASCII that cannot hold an e-mail address: the usual, quick case.
func isPlain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '@' || c == '%' {
			return false
		}
	}
	return true
}
