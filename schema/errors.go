package schema

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// ErrUnavailable marks an error that says nothing about the record: the registry could not be asked.
// The record must be tried again, never dead-lettered.
var ErrUnavailable = errors.New("schema registry unavailable")

// InvalidError says that one record can never become an order or a click. Trying again does not help.
type InvalidError struct {
	Reason Reason
	Err    error
	// Read is what was read of the order before the rule was broken, for naming it and nothing else. It is nil
	// where the bytes are no order, and its ID is empty where the fault came before it.
	Read *Order
}

// readSoFar puts what was read of an order into an error about one of its fields.
func readSoFar(err error, order *Order) error {
	var invalid *InvalidError
	if errors.As(err, &invalid) && invalid.Reason == ReasonInvalidOrder {
		invalid.Read = order
	}
	return err
}

func (e *InvalidError) Error() string { return e.Err.Error() }

// Unwrap returns the rule that was broken, a *FieldError where a field is to blame.
func (e *InvalidError) Unwrap() error { return e.Err }

// FieldError names the field, its value as far as it may be shown, the rule it breaks and what to do.
type FieldError struct {
	// Field is the canonical path, for example "items[2].unit_price".
	Field string
	// Value is already safe to show: quote public values with Quoted, describe private ones with Hidden.
	Value string
	// Rule is the broken rule with a next step, for example "must be a decimal like 22.99 without sign or separator".
	Rule string
}

func (e *FieldError) Error() string {
	if e.Value == "" {
		return fmt.Sprintf("%s %s", e.Field, e.Rule)
	}
	return fmt.Sprintf("%s %s: %s", e.Field, e.Value, e.Rule)
}

// Quoted shows a public value in an error message, cut to 48 characters. What may be private all the same, since a
// platform put it into the wrong field, is shown as Hidden instead: an @ may belong to an e-mail address, and 20 or
// more letters and digits in a row, both of them, may be a click id or a secret.
func Quoted(value string) string {
	switch {
	case strings.ContainsRune(value, '@'):
		return Hidden(value, func(r rune) bool { return r != '@' })
	case slices.ContainsFunc(strings.FieldsFunc(value, func(r rune) bool { return !clickIDRune(r) }), mayBeAClick):
		return Hidden(value, nil)
	}
	if runes := []rune(value); len(runes) > 48 {
		return fmt.Sprintf("%q… (%d characters)", string(runes[:48]), len(runes))
	}
	return strconv.Quote(value)
}

// mayBeAClick tells of a run of letters and digits whether it may be a click id: CJ's have 32.
func mayBeAClick(run string) bool {
	isDigit := func(r rune) bool { return '0' <= r && r <= '9' }
	return len(run) >= 20 && strings.ContainsFunc(run, isDigit) && strings.Trim(run, "0123456789") != ""
}

// Hidden describes a private value (click id, secret, e-mail) without showing it: its length and the
// first character that legal refuses. A nil legal names no character.
func Hidden(value string, legal func(rune) bool) string {
	length := utf8.RuneCountInString(value)
	if legal != nil {
		position := 0
		for _, r := range value {
			position++
			if !legal(r) {
				return fmt.Sprintf("(%d characters, first bad character %q at position %d)", length, r, position)
			}
		}
	}
	return fmt.Sprintf("(%d characters)", length)
}
