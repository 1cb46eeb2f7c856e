// Package moment reads points in time and spans of it as Kafka's own tools do, so that what people type there works
// here too and means the same.
package moment

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// errDatetime and errDuration say what is read.
var (
	errDatetime = errors.New("must be like 2026-03-27T11:02:07.000, which is UTC, or with a zone, like 2026-03-27T11:02:07+02:00")
	errDuration = errors.New("must be like P7D, PT12H or P1DT2H30M, or 7d, 12h, 90m")
)

// datetime is what org.apache.kafka.common.utils.Utils.getDateTime reads, and the same without milliseconds. Another
// number of digits is refused: Java takes .5 for five milliseconds.
var datetime = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3})?(Z|[-+]\d{2}(:?\d{2})?)?$`)

// Datetime reads yyyy-MM-ddTHH:mm:ss, with .SSS and a zone or without. Without a zone it is UTC.
func Datetime(text string) (time.Time, error) {
	if !datetime.MatchString(text) {
		return time.Time{}, errDatetime
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, errDatetime
}

var (
	// iso is what java.time.Duration.parse reads.
	iso = regexp.MustCompile(`^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?\d+)(?:[.,](\d{0,9}))?S)?)?$`)
	// short is days alone, which time.ParseDuration does not know.
	short = regexp.MustCompile(`^(\d+)d$`)
)

// Duration reads PnDTnHnMnS as Java does, and 7d, 12h or 90m. It is not negative: nobody goes back by less than
// nothing.
func Duration(text string) (time.Duration, error) {
	if parts := iso.FindStringSubmatch(strings.ToUpper(text)); parts != nil {
		return isoDuration(parts)
	}
	if days := short.FindStringSubmatch(text); days != nil {
		return isoDuration([]string{"", "", days[1], "", "", "", "", ""})
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	return 0, errDuration
}

func isoDuration(parts []string) (time.Duration, error) {
	given := false
	total := 0.0
	exact := time.Duration(0)
	for i, unit := range map[int]time.Duration{2: 24 * time.Hour, 4: time.Hour, 5: time.Minute, 6: time.Second} {
		if parts[i] == "" {
			continue
		}
		given = true
		n, err := strconv.ParseInt(parts[i], 10, 64)
		if err != nil {
			return 0, errDuration
		}
		total += float64(n) * float64(unit)
		exact += time.Duration(n) * unit
	}
	// A T with nothing behind it is an error to Java, too.
	if !given || parts[3] == "T" || math.Abs(total) > math.MaxInt64/2 {
		return 0, errDuration
	}
	if parts[7] != "" {
		nanos, _ := strconv.ParseInt((parts[7] + "000000000")[:9], 10, 64)
		if strings.HasPrefix(parts[6], "-") {
			nanos = -nanos
		}
		exact += time.Duration(nanos)
	}
	if parts[1] == "-" {
		exact = -exact
	}
	if exact < 0 {
		return 0, errDuration
	}
	return exact, nil
}
