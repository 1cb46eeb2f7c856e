package config

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// parse turns the text of a leaf into the type of its field. Texts stay exactly as written, so that an id
// keeps its leading zeros and never becomes 1.234567e+06. On failure the second result says what was expected.
func parse(k *key, text string) (any, string) {
	switch k.typ {
	case reflect.TypeFor[time.Duration]():
		if duration, ok := parseDuration(text); ok {
			return duration, ""
		}
		return nil, "must be a duration: a number with a unit, such as 500ms, 10s, 5m, 12h or 395d"
	case reflect.TypeFor[Size]():
		if size, ok := parseSize(text); ok {
			return size, ""
		}
		return nil, "must be a size: a whole number with a unit, such as 512KiB, 64MiB or 1GiB"
	case listType:
		return splitList(text), ""
	}
	switch k.typ.Kind() {
	case reflect.Int:
		if number, err := strconv.Atoi(text); err == nil {
			return number, ""
		}
		return nil, "must be a whole number, such as 64"
	case reflect.Float64:
		if number, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(number) && !math.IsInf(number, 0) {
			return number, ""
		}
		return nil, "must be a number, such as 0.5"
	case reflect.Bool:
		// Other spellings than these two are easily taken for the opposite: no, off, 0.
		if text == "true" || text == "false" {
			return text == "true", ""
		}
		return nil, "must be true or false"
	default:
		return text, ""
	}
}

// splitList reads a,b as two entries, the way Kafka's own tools take brokers.
func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return []string{}
	}
	entries := strings.Split(text, ",")
	for i := range entries {
		entries[i] = strings.TrimSpace(entries[i])
	}
	return entries
}
