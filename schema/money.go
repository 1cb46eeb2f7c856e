package schema

import (
	"slices"
	"strconv"

	"github.com/shopspring/decimal"
)

// Money is an exact decimal in major units (22.99 dollars, 1000 yen). Never a float.
// The zero value is 0. A decoded Money is never negative; only a difference (Sub) can be.
//
// Money is a value: no method changes it, and any number of goroutines may use it. Equal amounts are equal
// in depth (reflect.DeepEqual), whatever literal they came from.
type Money struct{ amount decimal.Decimal }

// String writes the amount in the one form that goes out to CJ, whatever form it came in: plain digits,
// at least two decimals, no trailing zeros beyond them ("5" and "5.0000" become "5.00", "109.9550" becomes
// "109.955"). One form for all sources keeps the query of an order the same when a platform moves from
// JSON to Avro.
func (m Money) String() string {
	places := max(2, -m.amount.Exponent())
	unscaled := m.amount.CoefficientInt64()
	// Two digits less than fit, since up to two zeros follow.
	if m.amount.NumDigits() > moneyDigits-2 || unscaled < 0 {
		return m.amount.StringFixed(places)
	}
	// What nearly every amount is, without a big integer: this is on the way of every order.
	for scale := -m.amount.Exponent(); scale < 2; scale++ {
		unscaled *= 10
	}
	var room [moneyDigits + 4]byte
	digits := strconv.AppendInt(room[:0], unscaled, 10)
	for len(digits) <= int(places) {
		digits = slices.Insert(digits, 0, '0')
	}
	return string(slices.Insert(digits, len(digits)-int(places), '.'))
}

// Add returns m + other.
func (m Money) Add(other Money) Money { return normalMoney(m.amount.Add(other.amount)) }

// Sub returns m - other, below zero when other is more.
func (m Money) Sub(other Money) Money { return normalMoney(m.amount.Sub(other.amount)) }

// Mul returns the price of a number of units at m each.
func (m Money) Mul(units int64) Money { return normalMoney(m.amount.Mul(decimal.NewFromInt(units))) }

// Cmp returns -1, 0 or +1 as m is less than, equal to or more than other.
func (m Money) Cmp(other Money) int { return m.amount.Cmp(other.amount) }

// LessThan reports whether m is less than other.
func (m Money) LessThan(other Money) bool { return m.Cmp(other) < 0 }

// IsZero reports whether m is 0.
func (m Money) IsZero() bool { return m.amount.IsZero() }

// normalMoney is the only form a Money is kept in: the zero value for 0, otherwise no zero after the last
// decimal and no exponent above 0. Two forms of one amount would make equal orders differ.
func normalMoney(amount decimal.Decimal) Money {
	if amount.IsZero() {
		return Money{}
	}
	if amount.Exponent() == 0 {
		return Money{amount}
	}
	normal := amount.Normalize()
	if normal.Exponent() > 0 {
		normal = decimal.NewFromBigInt(normal.BigInt(), 0)
	}
	return Money{normal}
}
