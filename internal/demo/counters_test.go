package demo

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
)

// gathered are the metrics of a relay that counted n of each kind.
func gathered(t *testing.T, n int) []*dto.MetricFamily {
	registry := prometheus.NewRegistry()
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "outcomes_total"}, []string{"outcome", "reason"})
	seconds := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "seconds", Buckets: []float64{1, 2}})
	lag := prometheus.NewGauge(prometheus.GaugeOpts{Name: "lag"})
	registry.MustRegister(outcomes, seconds, lag)
	outcomes.WithLabelValues("acknowledged", "joined").Add(float64(n))
	outcomes.WithLabelValues("acknowledged", "carried").Add(float64(10 * n))
	lag.Set(float64(n))
	for range n {
		seconds.Observe(1.5)
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	return families
}

func TestCountersGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	var earlier counters
	earlier = earlier.keep(gathered(t, 1))
	earlier = earlier.keep(gathered(t, 2))
	for range 2 { // asking twice gives the same
		now := gathered(t, 4)
		earlier.addTo(now)
		require.Equal(t, "lag", now[0].GetName())
		require.EqualValues(t, 4, now[0].Metric[0].Gauge.GetValue(), "a gauge is of the moment")
		require.EqualValues(t, 70, now[1].Metric[0].Counter.GetValue())
		require.EqualValues(t, 7, now[1].Metric[1].Counter.GetValue())
		histogram := now[2].Metric[0].Histogram
		require.EqualValues(t, 7, histogram.GetSampleCount())
		require.EqualValues(t, 10.5, histogram.GetSampleSum())
		require.EqualValues(t, 0, histogram.Bucket[0].GetCumulativeCount())
		require.EqualValues(t, 7, histogram.Bucket[1].GetCumulativeCount())
	}
}
