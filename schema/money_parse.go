package schema

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// moneyDigits bounds the digits of an amount on each side of the point, zeros at either end not counted.
// It is far above any order, and it keeps a hostile literal from becoming a huge number.
const moneyDigits = 18

var errMoneyDigits = fmt.Errorf("must have at most %d digits before and %d after the point", moneyDigits, moneyDigits)

// ParseMoney reads digits with an optional fraction, for example "22.99". A sign, a currency sign, a
// thousands separator, a blank, an exponent, or a point without digits on both sides is an error that says
// which. At most 18 digits before and 18 after the point, zeros at either end not counted.
func ParseMoney(text string) (Money, error) {
	if money, ok := parsePlainMoney(text); ok {
		return money, nil
	}
	if err := checkMoneyText(text); err != nil {
		return Money{}, err
	}
	whole, fraction, _ := strings.Cut(text, ".")
	return moneyOf(whole, fraction, 0)
}

// parsePlainMoney reads what nearly every amount is, at most 18 digits with or without a fraction, without
// any intermediate copy. It is not ok for everything else, legal or not.
func parsePlainMoney[T ~string | ~[]byte](text T) (money Money, ok bool) {
	if len(text) == 0 || len(text) > moneyDigits+1 {
		return Money{}, false
	}
	unscaled, digits, point := int64(0), 0, -1
	for i := range len(text) {
		switch c := text[i]; {
		case '0' <= c && c <= '9':
			unscaled, digits = unscaled*10+int64(c-'0'), digits+1
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return Money{}, false
		}
	}
	if digits > moneyDigits || point == len(text)-1 {
		return Money{}, false
	}
	scale := 0
	if point >= 0 {
		scale = digits - point
	}
	return moneyFromInt64(unscaled, scale), true
}

// moneyFromInt64 is unscaled / 10^scale, for a scale from 0 to 18.
func moneyFromInt64(unscaled int64, scale int) Money {
	if unscaled == 0 {
		return Money{}
	}
	for scale > 0 && unscaled%10 == 0 {
		unscaled, scale = unscaled/10, scale-1
	}
	return Money{decimal.New(unscaled, -int32(scale))}
}

// checkMoneyText names the first thing that makes text no plain decimal.
func checkMoneyText(text string) error {
	const want = "must be a decimal like 22.99"
	if text == "" {
		return errors.New(want + ", not an empty string")
	}
	if lower := strings.ToLower(strings.TrimLeft(text, "+-")); lower == "nan" || lower == "inf" || lower == "infinity" {
		return errors.New(want + "; whoever computed this got no number")
	}
	point := strings.IndexByte(text, '.')
	for i, r := range text {
		switch {
		case '0' <= r && r <= '9' || i == point:
		case r == '+' || r == '-':
			return errors.New(want + " without a sign; amounts are never negative")
		case r == ',' || r == '.' || r == '\'' || r == '’' || r == '_':
			return errors.New(want + " with one point before the cents and no thousands separator")
		case r == ' ' || r == '\t' || r == '\n' || r == '\r' || r == '\u00a0' || r == '\u202f':
			return errors.New(want + " without blanks")
		case (r == 'e' || r == 'E') && i > 0:
			return errors.New(want + " without an exponent")
		default:
			return fmt.Errorf("%s without currency or any other sign, not with %q", want, r)
		}
	}
	switch point {
	case 0:
		return errors.New(want + " with a digit before the point")
	case len(text) - 1:
		return errors.New(want + " with a digit after the point")
	}
	return nil
}

// parseMoneyNumber reads a JSON number from its literal, exactly. The literal must obey JSON's grammar.
func parseMoneyNumber(literal []byte) (Money, error) {
	if money, ok := parsePlainMoney(literal); ok {
		return money, nil
	}
	text := string(literal)
	mantissa, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		mantissa, exponent = text[:i], text[i+1:]
	}
	whole, fraction, _ := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	if strings.Trim(whole, "0") == "" && strings.Trim(fraction, "0") == "" {
		// Also -0.0, which some encoders write for a discount of nothing.
		return Money{}, nil
	}
	if mantissa[0] == '-' {
		return Money{}, errNegative
	}
	shift := 0
	if exponent != "" {
		// No record is long enough for a mantissa that makes up for an exponent beyond 32 bits.
		parsed, err := strconv.ParseInt(exponent, 10, 32)
		if err != nil {
			return Money{}, errMoneyDigits
		}
		shift = int(parsed)
	}
	return moneyOf(whole, fraction, shift)
}

var errNegative = errors.New("must not be negative")

// moneyOf is whole.fraction * 10^shift. Both hold nothing but digits. The shift is only added and compared:
// 1e999999999 is refused before any number is built.
func moneyOf(whole, fraction string, shift int) (Money, error) {
	digits, exponent := strings.TrimLeft(whole+fraction, "0"), shift-len(fraction)
	significant := strings.TrimRight(digits, "0")
	if significant == "" {
		return Money{}, nil
	}
	exponent += len(digits) - len(significant)
	if exponent < -moneyDigits || len(significant)+exponent > moneyDigits {
		return Money{}, errMoneyDigits
	}
	if exponent > 0 {
		significant, exponent = significant+strings.Repeat("0", exponent), 0
	}
	unscaled, _ := new(big.Int).SetString(significant, 10)
	return Money{decimal.NewFromBigInt(unscaled, int32(exponent))}, nil
}
