package postback

import (
	"net/http"
	"strconv"
	"time"
)

// RetryAfterMax bounds Answer.RetryAfter. A longer wish is a mistake of the other side.
const RetryAfterMax = 24 * time.Hour

// retryAfter reads the header Retry-After: seconds, or a date that counts from the answer's own Date, so that
// a wrong clock on either side does not matter. What is neither, or past, is no wish at all.
func retryAfter(header http.Header, now time.Time) time.Duration {
	wish := header.Get("Retry-After")
	if wish == "" {
		return 0
	}
	if isDigits(wish) {
		seconds, err := strconv.ParseInt(wish, 10, 64)
		if err != nil || seconds > int64(RetryAfterMax/time.Second) {
			return RetryAfterMax
		}
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(wish)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return min(max(until.Sub(now), 0), RetryAfterMax)
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}
