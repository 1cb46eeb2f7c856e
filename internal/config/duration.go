package config

import (
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// parseDuration is time.ParseDuration with whole days in front: 395d, 1d12h.
func parseDuration(text string) (time.Duration, bool) {
	days, rest, found := strings.Cut(text, "d")
	if !found {
		duration, err := time.ParseDuration(text)
		return duration, err == nil
	}
	count, err := strconv.ParseUint(days, 10, 63)
	if err != nil || count > uint64(math.MaxInt64/day) {
		return 0, false
	}
	total := time.Duration(count) * day
	if rest == "" {
		return total, true
	}
	if rest[0] < '0' || rest[0] > '9' { // a sign in the middle is a slip
		return 0, false
	}
	extra, err := time.ParseDuration(rest)
	if err != nil || extra > math.MaxInt64-total {
		return 0, false
	}
	return total + extra, true
}

// durationText writes a duration as people write it, 395d or 60s and not 9480h0m0s or 1m0s. What it writes,
// parseDuration reads.
func durationText(duration time.Duration) string {
	switch {
	case duration > 0 && duration%day == 0:
		return strconv.FormatInt(int64(duration/day), 10) + "d"
	case duration > 0 && duration <= time.Minute && duration%time.Second == 0:
		return strconv.FormatInt(int64(duration/time.Second), 10) + "s"
	}
	text := duration.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
