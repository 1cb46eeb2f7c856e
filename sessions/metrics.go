package sessions

import "github.com/prometheus/client_golang/prometheus"

var (
	sessionsDesc = prometheus.NewDesc("cjrelay_click_table_sessions", "Sessions that the click table knows.", nil, nil)
	bytesDesc    = prometheus.NewDesc("cjrelay_click_table_bytes", "Bytes that the click table takes on disk.", nil, nil)
	behindDesc   = prometheus.NewDesc("cjrelay_click_table_behind", "Records of the click topic that waiting orders need and the table has not read.", nil, nil)
)

// metrics counts what became of the click topic's records.
type metrics struct {
	records                    *prometheus.CounterVec
	applied, erased, malformed prometheus.Counter
	misplaced                  prometheus.Counter
}

func newMetrics() metrics {
	records := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "cjrelay_clicks_total",
		Help: "Records read from the click topic: applied, erased (a tombstone) or malformed (skipped).",
	}, []string{"result"})
	return metrics{
		records:   records,
		applied:   records.WithLabelValues("applied"),
		erased:    records.WithLabelValues("erased"),
		malformed: records.WithLabelValues("malformed"),
		misplaced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cjrelay_clicks_misplaced_total",
			Help: "Clicks that do not lie in the partition where clicks.partitioner puts their session; counted where the join is copartitioned.",
		}),
	}
}

func (m metrics) collect(collected chan<- prometheus.Metric) {
	m.records.Collect(collected)
	m.misplaced.Collect(collected)
}
