package schema

import (
	"errors"
	"strings"
	"time"
)

// Instants outside of these are no times of an order or a click but another unit, or a field that was never
// set: 0 is 1970, microseconds read as milliseconds lie ten thousands of years ahead.
var (
	earliestInstant = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	latestInstant   = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)
)

var (
	errInstantSyntax = errors.New("must be RFC 3339 with a zone, like 2026-03-27T11:02:07.123Z")
	errInstantEarly  = errors.New("must not be before 2000-01-01; most likely the field was never set, or has another unit")
	errInstantLate   = errors.New("must not be after the year 9999; most likely the field has another unit")
)

// parseInstant reads RFC 3339 with a zone, up to nanoseconds, as UTC.
func parseInstant(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !strictInstant(text) {
		return time.Time{}, errInstantSyntax
	}
	return checkInstant(at.UTC())
}

// strictInstant refuses what time.Parse takes for RFC 3339 though it is not (go.dev/issue/54580): an hour of
// one digit, a comma before the fraction, a zone of 24 hours.
func strictInstant(text string) bool {
	const hourEnd, zone = len("2006-01-02T15"), len("07:00")
	return text[hourEnd] == ':' && strings.IndexByte(text, ',') < 0 &&
		(text[len(text)-1] == 'Z' || text[len(text)-zone:] < "24:00")
}

// instantField is parseInstant for the field at p.
func instantField(text string, p path) (time.Time, error) {
	at, err := parseInstant(text)
	if err != nil {
		return time.Time{}, p.broken(Quoted(text), err.Error())
	}
	return at, nil
}

func checkInstant(at time.Time) (time.Time, error) {
	switch {
	case at.Before(earliestInstant):
		return time.Time{}, errInstantEarly
	case !at.Before(latestInstant):
		return time.Time{}, errInstantLate
	}
	return at, nil
}

// formatInstant writes RFC 3339 in UTC with three decimals, or as many as the time has when it has more.
func formatInstant(at time.Time) string {
	at = at.UTC()
	if at.Nanosecond()%int(time.Millisecond) != 0 {
		return at.Format(time.RFC3339Nano)
	}
	return at.Format("2006-01-02T15:04:05.000Z07:00")
}
