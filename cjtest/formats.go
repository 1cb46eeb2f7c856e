package cjtest

import (
	"regexp"
	"strings"
	"time"
)

func all(value string, allowed func(byte) bool) bool {
	for i := range len(value) {
		if !allowed(value[i]) {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool        { return '0' <= c && c <= '9' }
func isUpper(c byte) bool        { return 'A' <= c && c <= 'Z' }
func isLetter(c byte) bool       { return isUpper(upper(c)) }
func isAlphanumeric(c byte) bool { return isDigit(c) || isLetter(c) }

// isNameCharacter: order ids "alphanumeric, dashes, and underscores only" (docs.cj.com/docs/neworders-api-implementation).
func isNameCharacter(c byte) bool { return isAlphanumeric(c) || c == '-' || c == '_' }

// isMoney knows CJ's own pattern of a decimal, [0-9]+(\.[0-9]+)?, without the minus sign: the types of CJ's
// API are non-negative.
func isMoney(value string) bool {
	whole, fraction, pointed := strings.Cut(value, ".")
	return whole != "" && all(whole, isDigit) && (!pointed || fraction != "" && all(fraction, isDigit))
}

// parseEventTime reads yyyy-mm-ddThh:mm:ss[.fraction] with Z or +hh:mm. time.Parse alone is too kind: it
// takes hours of one digit and a comma before the fraction.
func parseEventTime(value string) (time.Time, bool) {
	const shape = "0000-00-00T00:00:00"
	if len(value) <= len(shape) || strings.ContainsRune(value, ',') {
		return time.Time{}, false
	}
	for i := range len(shape) {
		if shape[i] == '0' && !isDigit(value[i]) || shape[i] != '0' && value[i] != shape[i] {
			return time.Time{}, false
		}
	}
	event, err := time.Parse(time.RFC3339Nano, value)
	return event, err == nil
}

var email = regexp.MustCompile(`[^\s@,;]+@[^\s@,;]+\.[^\s@,;.]+`)

// hasEmail finds an e-mail address anywhere in a decoded value, also one that was encoded twice.
func hasEmail(value string) bool {
	if strings.Contains(value, "%40") {
		value = strings.ReplaceAll(value, "%40", "@")
	}
	return strings.Contains(value, "@") && email.MatchString(value)
}
