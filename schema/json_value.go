package schema

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// The readers below take the next value of a JSON stream as one field of the canonical form. A null is an
// absent field everywhere. An error is a *FieldError, or the library's own when the bytes are no JSON.

// jsonMembers calls read for each member of the object at p, with the decoder standing before the value.
// name is only valid until the value is read. It reports false for null.
func jsonMembers(dec *jsontext.Decoder, p path, read func(name []byte) error) (present bool, err error) {
	switch kind := dec.PeekKind(); kind {
	case '{':
	case 'n':
		return false, dec.SkipValue()
	default:
		return false, wrongJSONKind(dec, kind, p, "an object")
	}
	if _, err := dec.ReadToken(); err != nil {
		return false, err
	}
	for dec.PeekKind() != '}' {
		quoted, err := dec.ReadValue()
		if err != nil {
			return false, err
		}
		name, err := unquoted(quoted)
		if err != nil {
			return false, err
		}
		if err := read(name); err != nil {
			return false, err
		}
	}
	_, err = dec.ReadToken()
	return true, err
}

// jsonElements calls read for each element of the list at p. Null is a list without elements.
func jsonElements(dec *jsontext.Decoder, p path, read func(index int) error) error {
	switch kind := dec.PeekKind(); kind {
	case '[':
	case 'n':
		return dec.SkipValue()
	default:
		return wrongJSONKind(dec, kind, p, "a list")
	}
	if _, err := dec.ReadToken(); err != nil {
		return err
	}
	for index := 0; dec.PeekKind() != ']'; index++ {
		if err := read(index); err != nil {
			return err
		}
	}
	_, err := dec.ReadToken()
	return err
}

// jsonText reads a string. Null is "".
func jsonText(dec *jsontext.Decoder, p path) (string, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return "", err
	}
	switch value.Kind() {
	case '"':
		text, err := unquoted(value)
		return string(text), err
	case 'n':
		return "", nil
	}
	return "", p.broken("", "must be a string, not "+jsonKindName(value.Kind()))
}

// jsonInstant reads RFC 3339 with a zone. Null and "" are the zero time.
func jsonInstant(dec *jsontext.Decoder, p path) (time.Time, error) {
	text, err := jsonText(dec, p)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	return instantField(text, p)
}

// jsonMoney reads a string or a number. It reports false for null.
func jsonMoney(dec *jsontext.Decoder, p path) (money Money, present bool, err error) {
	value, err := dec.ReadValue()
	if err != nil {
		return Money{}, false, err
	}
	switch value.Kind() {
	case '0':
		money, err = parseMoneyNumber(value)
	case '"':
		if value, err = unquoted(value); err != nil {
			return Money{}, false, err
		}
		money, present = parsePlainMoney(value)
		if present {
			return money, true, nil
		}
		money, err = ParseMoney(string(value))
	case 'n':
		return Money{}, false, nil
	default:
		return Money{}, false, p.broken("", "must be a decimal string or a number, not "+jsonKindName(value.Kind()))
	}
	if err != nil {
		return Money{}, false, p.broken(Quoted(string(value)), err.Error())
	}
	return money, true, nil
}

// jsonQuantity reads a number that is whole, whatever its form: 2, 2.0 and 2e0 are two units. It reports false
// for null. How many units there may be is Order.validate's.
func jsonQuantity(dec *jsontext.Decoder, p path) (units int64, present bool, err error) {
	value, err := dec.ReadValue()
	if err != nil {
		return 0, false, err
	}
	switch value.Kind() {
	case '0':
	case 'n':
		return 0, false, nil
	default:
		return 0, false, p.broken("", "must be a number, not "+jsonKindName(value.Kind()))
	}
	if units, err := strconv.ParseUint(string(value), 10, 31); err == nil {
		return int64(units), true, nil
	}
	number, err := parseMoneyNumber(value)
	switch {
	case errors.Is(err, errMoneyDigits):
		return 0, false, p.broken(Quoted(string(value)), quantityRule)
	case err != nil:
		return 0, false, p.broken(Quoted(string(value)), err.Error())
	case number.amount.Exponent() < 0:
		return 0, false, p.broken(Quoted(string(value)), "is fractional; "+quantityRule)
	}
	return number.amount.CoefficientInt64(), true, nil
}

// jsonBool reads true or false. Null is nil. A string is refused: consent is not guessed from a spelling.
func jsonBool(dec *jsontext.Decoder, p path) (*bool, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return nil, err
	}
	switch value.Kind() {
	case 't', 'f':
		is := value.Kind() == 't'
		return &is, nil
	case 'n':
		return nil, nil
	}
	return nil, p.broken("", "must be true or false, not "+jsonKindName(value.Kind()))
}

// jsonScalar reads a string, a number as its literal, or a boolean as true or false. Null is "".
func jsonScalar(dec *jsontext.Decoder, p path) (string, error) {
	value, err := dec.ReadValue()
	if err != nil {
		return "", err
	}
	switch value.Kind() {
	case '"':
		text, err := unquoted(value)
		return string(text), err
	case '0', 't', 'f':
		return string(value), nil
	case 'n':
		return "", nil
	}
	return "", p.broken("", "must be a string, a number or a boolean, not "+jsonKindName(value.Kind()))
}

// unquoted returns what a JSON string says, without a copy where it has no escapes.
func unquoted(value jsontext.Value) ([]byte, error) {
	if bytes.IndexByte(value, '\\') >= 0 {
		return jsontext.AppendUnquote(nil, value)
	}
	return value[1 : len(value)-1], nil
}

// wrongJSONKind reads the value, so that bytes that are no JSON are reported as that.
func wrongJSONKind(dec *jsontext.Decoder, kind jsontext.Kind, p path, want string) error {
	if err := dec.SkipValue(); err != nil {
		return err
	}
	return p.broken("", fmt.Sprintf("must be %s, not %s", want, jsonKindName(kind)))
}

func jsonKindName(kind jsontext.Kind) string {
	switch kind {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case 't', 'f':
		return "a boolean"
	case '{':
		return "an object"
	case '[':
		return "a list"
	}
	return "null"
}
