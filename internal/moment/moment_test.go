package moment_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/moment"
)

func TestDatetime(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-03-27T12:00:00.000":       noon,
		"2026-03-27T12:00:00.007":       noon.Add(7 * time.Millisecond),
		"2026-03-27T12:00:00":           noon,
		"2026-03-27T12:00:00Z":          noon,
		"2026-03-27T14:00:00.000+02:00": noon,
		"2026-03-27T14:00:00.000+0200":  noon,
		"2026-03-27T04:00:00.000-08":    noon,
	} {
		at, err := moment.Datetime(text)
		require.NoError(t, err, text)
		require.Equal(t, want, at, text)
	}
	for _, text := range []string{"", "2026-03-27", "2026-03-27 12:00:00", "2026-03-27T12:00", "2026-03-27T12:00:00.5", "2026-03-27T12:00:00.000000",
		"2026-02-30T12:00:00", "2026-03-27T24:00:00", "2026-03-27T12:00:00+2", "yesterday", "P1D"} {
		_, err := moment.Datetime(text)
		require.ErrorContains(t, err, "must be like 2026-03-27T11:02:07.000", text)
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{
		"P1D":         day,
		"PT0S":        0,
		"P1DT2H3M4S":  day + 2*time.Hour + 3*time.Minute + 4*time.Second,
		"PT1.5S":      1500 * time.Millisecond,
		"pt1,25s":     1250 * time.Millisecond,
		"PT-1H2H":     -1, // refused
		"P2DT-1H":     2*day - time.Hour,
		"-P-1D":       day,
		"+PT90M":      90 * time.Minute,
		"7d":          7 * day,
		"12h":         12 * time.Hour,
		"1h30m":       90 * time.Minute,
		"P":           -1,
		"PT":          -1,
		"P1DT":        -1,
		"1D":          -1,
		"P1Y":         -1,
		"P1H":         -1,
		"-P1D":        -1,
		"-1h":         -1,
		"P999999999D": -1,
		"":            -1,
		"soon":        -1,
	} {
		d, err := moment.Duration(text)
		if want < 0 {
			require.ErrorContains(t, err, "must be like P7D", text)
			continue
		}
		require.NoError(t, err, text)
		require.Equal(t, want, d, text)
	}
}
