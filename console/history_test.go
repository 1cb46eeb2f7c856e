package console

import (
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestHistoryIsOfTheLatestHour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		registry := prometheus.NewRegistry()
		outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cjrelay_outcomes_total", Help: "x"}, []string{"outcome", "reason"})
		attempts := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "cjrelay_attempts_total", Help: "x"}, []string{"class"})
		latency := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "cjrelay_attempt_seconds", Help: "x", Buckets: []float64{0.1, 1}})
		registry.MustRegister(outcomes, attempts, latency)
		began := time.Now()
		b := setup(t, "127.0.0.1", func(c *Config) { withRelay(c); c.Metrics = registry })
		synctest.Wait()
		outcomes.WithLabelValues("acknowledged", "joined").Add(3)
		outcomes.WithLabelValues("acknowledged", "carried").Add(4)
		outcomes.WithLabelValues("unattributed", "no_click").Add(5)
		for _, class := range []string{"acknowledged", "rejected", "cancelled", "retry", "endpoint"} {
			attempts.WithLabelValues(class).Add(2)
		}
		latency.Observe(0.5)
		ask := func() (history History) {
			_, body := b.ask(t, "GET", "/history", "")
			require.NotContains(t, body, "null", "a page need not tell null from empty")
			require.NoError(t, json.Unmarshal([]byte(body), &history))
			return history
		}
		time.Sleep(sampleEvery)
		synctest.Wait()
		history := ask()
		require.Equal(t, 5, history.Every)
		require.Equal(t, []float64{0.1, 1}, history.Bounds)
		require.Len(t, history.Samples, 2)
		require.Zero(t, history.Samples[0].Acknowledged)
		require.Equal(t, Sample{At: began.Add(sampleEvery).UTC(), Acknowledged: 7, Failed: 4, Latency: []int64{0, 1}}, history.Samples[1])

		var state State
		_, body := b.ask(t, "GET", "/state", "")
		require.NoError(t, json.Unmarshal([]byte(body), &state))
		require.EqualValues(t, 7, state.Counts.Acknowledged, "both say the same")
		require.EqualValues(t, 4, state.Counts.Failed)

		time.Sleep(2 * time.Hour)
		synctest.Wait()
		history = ask()
		require.Len(t, history.Samples, samplesKept)
		require.Equal(t, began.Add(sampleEvery+time.Hour+sampleEvery).UTC(), history.Samples[0].At)
		require.Equal(t, began.Add(sampleEvery+2*time.Hour).UTC(), history.Samples[samplesKept-1].At)
	})
}
