package config

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestDuration(t *testing.T) {
	t.Parallel()

	t.Run("ReadsDays", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]time.Duration{
			"395d": 395 * day, "1d12h": 36 * time.Hour, "0d": 0, "1d0.5s": day + 500*time.Millisecond,
			"10s": 10 * time.Second, "1h30m": 90 * time.Minute, "0": 0, "-5s": -5 * time.Second,
		} {
			duration, ok := parseDuration(text)
			require.True(t, ok, text)
			require.Equal(t, want, duration, text)
		}
	})

	t.Run("RefusesWhatIsNoDuration", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "10", "d", "1.5d", "-1d", "+1d", "1d-1h", "1d+1h", "1dx", "1d2d", "10 s", "106752d", "106751d24h", "99999999999999999999d"} {
			_, ok := parseDuration(text)
			require.False(t, ok, text)
		}
	})

	t.Run("WritesWhatItReads", func(t *testing.T) {
		t.Parallel()
		for duration, want := range map[time.Duration]string{
			0: "0s", time.Second: "1s", 60 * time.Second: "60s", 90 * time.Second: "1m30s", 5 * time.Minute: "5m", time.Hour: "1h",
			90 * time.Minute: "1h30m", 395 * day: "395d", 500 * time.Millisecond: "500ms", -time.Hour: "-1h",
		} {
			require.Equal(t, want, durationText(duration))
		}
		rapid.Check(t, func(t *rapid.T) {
			unit := rapid.SampledFrom([]time.Duration{1, time.Millisecond, time.Second, time.Minute, time.Hour, day}).Draw(t, "unit")
			duration := unit * time.Duration(rapid.Int64Range(-100_000, 100_000).Draw(t, "count"))
			again, ok := parseDuration(durationText(duration))
			require.True(t, ok)
			require.Equal(t, duration, again)
		})
	})
}

func TestSize(t *testing.T) {
	t.Parallel()

	t.Run("ReadsBinaryUnits", func(t *testing.T) {
		t.Parallel()
		for text, want := range map[string]Size{"0": 0, "1024": KiB, "7B": 7, "512KiB": 512 * KiB, "64 MiB": 64 * MiB, "1GiB": GiB, "8589934591GiB": 8589934591 * GiB} {
			size, ok := parseSize(text)
			require.True(t, ok, text)
			require.Equal(t, want, size, text)
		}
	})

	t.Run("RefusesWhatCouldMeanTwoSizes", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"", "MiB", "1MB", "1M", "1k", "1mib", "1.5MiB", "8589934592GiB", "one"} {
			_, ok := parseSize(text)
			require.False(t, ok, text)
		}
	})

	t.Run("WritesWhatItReads", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "0B", Size(0).String())
		require.Equal(t, "1MiB", MiB.String())
		require.Equal(t, "1025B", (KiB + 1).String())
		rapid.Check(t, func(t *rapid.T) {
			size := Size(rapid.Int64Range(math.MinInt64, math.MaxInt64).Draw(t, "size"))
			again, ok := parseSize(size.String())
			require.True(t, ok)
			require.Equal(t, size, again)
		})
	})
}
