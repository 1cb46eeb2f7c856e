package cjtest

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"
)

// Latency is a time or a distribution of times. The zero value is none. Draws come from the server's seed, so
// that the same requests in the same order wait as long again. None is longer than a day.
type Latency struct {
	low, high time.Duration
	skewed    bool
}

// Fixed is always d.
func Fixed(d time.Duration) Latency { return Latency{low: d, high: d} }

// Between is spread evenly over least to most.
func Between(least, most time.Duration) Latency { return Latency{low: least, high: most} }

// LogNormal looks like a service in production: half of the requests take median or less, one in a hundred
// takes p99 or more, none more than ten times p99. The median must be above 0.
func LogNormal(median, p99 time.Duration) Latency {
	return Latency{low: median, high: p99, skewed: true}
}

func (l Latency) valid() bool {
	return l.low >= 0 && l.high >= l.low && l.high <= 24*time.Hour && (!l.skewed || l.low > 0)
}

func (l Latency) draw(random *rand.Rand) time.Duration {
	const z99 = 2.3263478740408408 // 99 % of the standard normal distribution lie below
	switch {
	case l.skewed:
		sigma := math.Log(float64(l.high)/float64(l.low)) / z99
		return time.Duration(min(float64(l.low)*math.Exp(sigma*random.NormFloat64()), 10*float64(l.high)))
	case l.high > l.low:
		return l.low + time.Duration(random.Int64N(int64(l.high-l.low)+1))
	}
	return l.low
}

// String writes a latency as a script does: "50ms", "20ms..80ms" (even), "40ms~2s" (log-normal, median and 99 %).
func (l Latency) String() string {
	switch {
	case l.skewed:
		return fmt.Sprintf("%s~%s", l.low, l.high)
	case l.high != l.low:
		return fmt.Sprintf("%s..%s", l.low, l.high)
	}
	return l.low.String()
}

func parseLatency(text string) (Latency, error) {
	if low, high, ok := strings.Cut(text, ".."); ok {
		return parseTwo(low, high, Between)
	}
	if median, p99, ok := strings.Cut(text, "~"); ok {
		return parseTwo(median, p99, LogNormal)
	}
	return parseTwo(text, text, Between)
}

func parseTwo(first, second string, make func(a, b time.Duration) Latency) (Latency, error) {
	a, errA := time.ParseDuration(first)
	b, errB := time.ParseDuration(second)
	latency := make(a, b)
	if errA != nil || errB != nil || !latency.valid() || latency == (Latency{}) {
		return Latency{}, errors.New("must be a time like 50ms, an even spread like 20ms..80ms, or median and 99 % like 40ms~2s, a day at most")
	}
	return latency, nil
}
