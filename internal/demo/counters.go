package demo

import (
	dto "github.com/prometheus/client_model/go"
)

// counters keeps what relays that have ended had counted, so that the metrics of the demo go on counting where
// a restarted process would begin anew.
type counters []*dto.MetricFamily

// keep adds the counters and histograms of a relay that has ended. Its gauges end with it.
func (c counters) keep(families []*dto.MetricFamily) counters {
	var kept counters
	for _, family := range families {
		if t := family.GetType(); t == dto.MetricType_COUNTER || t == dto.MetricType_HISTOGRAM {
			kept = append(kept, family)
		}
	}
	c.addTo(kept)
	return kept
}

// addTo adds the kept counts to those of the relay that runs. Every relay has the same series.
func (c counters) addTo(families []*dto.MetricFamily) {
	kept := map[string]map[string]*dto.Metric{}
	for _, family := range c {
		kept[family.GetName()] = map[string]*dto.Metric{}
		for _, metric := range family.Metric {
			kept[family.GetName()][labels(metric)] = metric
		}
	}
	for _, family := range families {
		for _, metric := range family.Metric {
			if earlier := kept[family.GetName()][labels(metric)]; earlier != nil {
				add(metric, earlier)
			}
		}
	}
}

// labels is the same text for two metrics of a family exactly when their labels are the same. They come sorted.
func labels(metric *dto.Metric) string {
	text := ""
	for _, label := range metric.Label {
		text += label.GetName() + "\x00" + label.GetValue() + "\x00"
	}
	return text
}

func add(metric, earlier *dto.Metric) {
	if metric.Counter != nil && earlier.Counter != nil {
		metric.Counter.Value = new(metric.Counter.GetValue() + earlier.Counter.GetValue())
	}
	if metric.Histogram == nil || earlier.Histogram == nil {
		return
	}
	metric.Histogram.SampleCount = new(metric.Histogram.GetSampleCount() + earlier.Histogram.GetSampleCount())
	metric.Histogram.SampleSum = new(metric.Histogram.GetSampleSum() + earlier.Histogram.GetSampleSum())
	for i, bucket := range metric.Histogram.Bucket {
		if i < len(earlier.Histogram.Bucket) {
			bucket.CumulativeCount = new(bucket.GetCumulativeCount() + earlier.Histogram.Bucket[i].GetCumulativeCount())
		}
	}
}
