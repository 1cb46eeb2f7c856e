package postback

import (
	"strings"
	"unicode/utf8"
)

// emailRule ends the error for an e-mail address. CJ forbids personal data in what it is sent, and its own tag
// overwrites an address in the URL with "removedemail", under which two orders become one.
const emailRule = "contains an e-mail address; CJ allows no personal data, send a neutral id instead"

// containsEmail reports whether value holds an e-mail address, as it is or percent-encoded any number of times.
func containsEmail(value string) bool {
	if strings.IndexByte(value, '%') >= 0 {
		value = unescapeFully(value)
	}
	for {
		at := strings.IndexByte(value, '@')
		if at < 0 {
			return false
		}
		if at > 0 && isLocalPart(value[at-1]) && startsWithDomain(value[at+1:]) {
			return true
		}
		value = value[at+1:]
	}
}

// isLocalPart reports whether c can end the part of an address before the @. Only characters that separate
// values cannot: missing an address is worse than refusing an odd text.
func isLocalPart(c byte) bool {
	return c > ' ' && c != 0x7f && strings.IndexByte(`,;:<>()[]\/@&=?#`, c) < 0
}

// startsWithDomain reports whether text starts with labels and dots of which a later one begins with two
// letters: example.com is a domain, the price in "5@10.00" is not.
func startsWithDomain(text string) bool {
	labelStart := 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '.':
			if i == labelStart {
				return false
			}
			if i+2 < len(text) && isDomainLetter(text[i+1]) && isDomainLetter(text[i+2]) {
				return true
			}
			labelStart = i + 1
		case !isDomainLetter(c) && c != '-' && (c < '0' || c > '9'):
			return false
		}
	}
	return false
}

// isDomainLetter counts every byte of a letter outside ASCII as a letter, for international domains.
func isDomainLetter(c byte) bool {
	lower := c | 0x20
	return 'a' <= lower && lower <= 'z' || c >= utf8.RuneSelf
}

// unescapeFully decodes percent escapes until none is left, in one pass: an escape that a decoded character
// completes is decoded at once. That gives the same as pass after pass, since escapes cannot overlap, but does
// not take quadratic time on %252525….
func unescapeFully(value string) string {
	out := make([]byte, 0, len(value))
	for i := range len(value) {
		out = append(out, value[i])
		for n := len(out); n >= 3 && out[n-3] == '%' && isHex(out[n-2]) && isHex(out[n-1]); n = len(out) {
			out = append(out[:n-3], unhex(out[n-2])<<4|unhex(out[n-1]))
		}
	}
	return string(out)
}

func isHex(c byte) bool {
	lower := c | 0x20
	return '0' <= c && c <= '9' || 'a' <= lower && lower <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return (c | 0x20) - 'a' + 10
}
