package postback

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxCoupons is the length of CJ's COUPON field, several codes together.
const maxCoupons = 256

// appendCoupons writes COUPON. Several codes are joined by a comma, as CJ's own clients do; an empty code is
// no code.
func appendCoupons(q []byte, codes []string) ([]byte, error) {
	length, first := 0, true
	for i, code := range codes {
		if code == "" {
			continue
		}
		if strings.IndexByte(code, ',') >= 0 {
			return nil, refuse(couponField(i), shown(code), "may not contain a comma, which separates codes; send each code as an entry of its own")
		}
		if !isPlain(code) {
			if err := checkText(couponField(i), code); err != nil {
				return nil, err
			}
		}
		length += utf8.RuneCountInString(code)
		if first {
			q = append(q, "&COUPON="...)
		} else {
			q = append(q, "%2C"...)
			length++
		}
		first = false
		q = appendEscaped(q, code)
	}
	if length > maxCoupons {
		return nil, refuse("coupons", "("+strconv.Itoa(length)+" characters)", "may be at most 256 characters together, commas included; CJ's field holds no more")
	}
	return q, nil
}

func couponField(index int) string { return "coupons[" + strconv.Itoa(index) + "]" }
