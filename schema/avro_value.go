package schema

import (
	"fmt"
	"math/big"
	"strconv"
	"time"
	"unicode/utf8"
)

// The readers below turn a native datum of any writer's type into one field of the canonical form, promoting
// where nothing can be lost. goavro has no schema resolution. A null is an absent field everywhere. An error
// is a *FieldError.

// avroText reads a string or an enum. Null is "".
func avroText(native any, of *avroType, p path) (string, error) {
	if native, of = of.settle(native); of == nil {
		return "", nil
	}
	if of.kind != avroString && of.kind != avroEnum {
		return "", p.broken("", "must be a string, not Avro "+of.describe())
	}
	return validText(native.(string), p)
}

func validText(text string, p path) (string, error) {
	if !utf8.ValidString(text) {
		return "", p.broken(Hidden(text, nil), "must be UTF-8")
	}
	return text, nil
}

// avroMoney reads a decimal, a string or a whole number of major units. It reports false for null.
func avroMoney(native any, of *avroType, p path) (money Money, present bool, err error) {
	if native, of = of.settle(native); of == nil {
		return Money{}, false, nil
	}
	switch value := native.(type) {
	case []byte:
		if of.logical != logicalDecimal {
			break
		}
		if money, err = decimalMoney(value, of.scale); err != nil {
			return Money{}, false, p.broken("", err.Error())
		}
		return money, true, nil
	case string:
		if money, err = ParseMoney(value); err != nil {
			return Money{}, false, p.broken(Quoted(value), err.Error())
		}
		return money, true, nil
	case int32:
		return wholeMoney(int64(value), p)
	case int64:
		if of.logical == "" {
			return wholeMoney(value, p)
		}
	case float32, float64:
		return Money{}, false, p.broken("", fmt.Sprintf("must not be Avro %s, which cannot hold cents exactly; "+
			"use bytes with logicalType decimal, or a string", of.kind))
	}
	return Money{}, false, p.broken("", fmt.Sprintf("must be Avro bytes or fixed with logicalType decimal, a string, an int or a long, not %s; "+
		"logicalType, precision and scale belong inside the type", of.describe()))
}

func wholeMoney(units int64, p path) (Money, bool, error) {
	money, err := Money{}, errNegative
	if units >= 0 {
		money, err = moneyOf(strconv.FormatInt(units, 10), "", 0)
	}
	if err != nil {
		return Money{}, false, p.broken(strconv.FormatInt(units, 10), err.Error())
	}
	return money, true, nil
}

// maxDecimalBytes holds 38 digits, the most that any database or Java serializer writes. Longer ones are
// refused before they become a number, let alone text: a megabyte of digits would take seconds.
const maxDecimalBytes = 16

// decimalMoney reads Avro's decimal: a big-endian two's complement integer, divided by 10^scale.
func decimalMoney(unscaled []byte, scale int) (Money, error) {
	switch {
	case len(unscaled) == 0:
		return Money{}, fmt.Errorf("is a decimal without any bytes")
	case len(unscaled) > maxDecimalBytes:
		return Money{}, fmt.Errorf("is a decimal of %d bytes: must be at most %d", len(unscaled), maxDecimalBytes)
	case unscaled[0] >= 0x80:
		return Money{}, errNegative
	}
	if len(unscaled) <= 8 && scale <= moneyDigits {
		value := int64(0)
		for _, b := range unscaled {
			value = value<<8 | int64(b)
		}
		if value < 1e18 {
			return moneyFromInt64(value, scale), nil
		}
	}
	return moneyOf(new(big.Int).SetBytes(unscaled).String(), "", -scale)
}

// avroInstant reads a timestamp or RFC 3339. Null and "" are the zero time.
func avroInstant(native any, of *avroType, p path) (time.Time, error) {
	if native, of = of.settle(native); of == nil {
		return time.Time{}, nil
	}
	var at time.Time
	switch value, _ := native.(int64); {
	case of.kind == avroString:
		text := native.(string)
		if text == "" {
			return time.Time{}, nil
		}
		return instantField(text, p)
	case of.logical == logicalMillis:
		at = time.UnixMilli(value)
	case of.logical == logicalMicros:
		at = time.UnixMicro(value)
	case of.logical == logicalNanos:
		at = time.Unix(0, value)
	case of.kind == avroLong:
		return time.Time{}, p.broken("", "must not be a bare Avro long, whose unit nobody knows; "+
			"use logicalType timestamp-millis or timestamp-micros inside the type, or an RFC 3339 string")
	default:
		return time.Time{}, p.broken("", "must be a timestamp-millis, a timestamp-micros or an RFC 3339 string, not Avro "+of.describe())
	}
	checked, err := checkInstant(at.UTC())
	if err != nil {
		return time.Time{}, p.broken(strconv.FormatInt(native.(int64), 10), err.Error())
	}
	return checked, nil
}

// avroQuantity reads an int or a long. It reports false for null. How many units there may be is
// Order.validate's.
func avroQuantity(native any, of *avroType, p path) (units int64, present bool, err error) {
	if native, of = of.settle(native); of == nil {
		return 0, false, nil
	}
	switch value := native.(type) {
	case int32:
		units = int64(value)
	case int64:
		units = value
	}
	if of.logical != "" || of.kind != avroInt && of.kind != avroLong {
		return 0, false, p.broken("", "must be an int or a long, not Avro "+of.describe())
	}
	return units, true, nil
}

// avroBool reads a boolean. Null is nil.
func avroBool(native any, of *avroType, p path) (*bool, error) {
	if native, of = of.settle(native); of == nil {
		return nil, nil
	}
	is, ok := native.(bool)
	if !ok {
		return nil, p.broken("", "must be a boolean, not Avro "+of.describe())
	}
	return &is, nil
}

// avroScalar reads a string, an enum, a boolean or a whole number as text. Null is "".
func avroScalar(native any, of *avroType, p path) (string, error) {
	if native, of = of.settle(native); of == nil {
		return "", nil
	}
	switch value := native.(type) {
	case string:
		return validText(value, p)
	case bool:
		return strconv.FormatBool(value), nil
	case int32:
		return strconv.FormatInt(int64(value), 10), nil
	case int64:
		if of.logical == "" {
			return strconv.FormatInt(value, 10), nil
		}
	}
	return "", p.broken("", "must be a string, a boolean, an int or a long, not Avro "+of.describe()+
		"; a number with a fraction goes as a string")
}

// describe names a type in an error.
func (t *avroType) describe() string {
	if t.logical != "" {
		return string(t.kind) + " " + t.logical
	}
	return string(t.kind)
}
