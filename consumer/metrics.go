package consumer

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// metrics are the counters of one consumer. Every series exists from the start, so that a rate over it sees
// the first event.
type metrics struct {
	outcomes       *prometheus.CounterVec
	attemptsVec    *prometheus.CounterVec
	attempts       map[postback.Class]prometheus.Counter
	attemptSeconds prometheus.Histogram
	commits        *prometheus.CounterVec
	writeFailures  *prometheus.CounterVec
	illegalCarried prometheus.Counter
	alreadyDone    prometheus.Counter
	lost           prometheus.Counter
}

func newMetrics(outcomesTopic, deadLetterTopic string) metrics {
	m := metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cjrelay_outcomes_total", Help: "Orders by how they ended and why.",
		}, []string{"outcome", "reason"}),
		attempts: map[postback.Class]prometheus.Counter{},
		attemptsVec: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cjrelay_attempts_total", Help: "Postback requests by the class of CJ's answer.",
		}, []string{"class"}),
		attemptSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "cjrelay_attempt_seconds", Help: "Time from sending a postback request to its answer.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}),
		commits: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cjrelay_commits_total", Help: "Offset commits by result.",
		}, []string{"result"}),
		writeFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cjrelay_write_failures_total", Help: "Failed writes of outcomes and dead letters; each is made again.",
		}, []string{"topic"}),
		illegalCarried: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cjrelay_carried_clicks_illegal_total", Help: "Orders whose own cjevent was illegal and that were joined instead.",
		}),
		alreadyDone: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cjrelay_already_done_total", Help: "Orders read again that had their outcome before a restart or rebalance, and were not sent again.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cjrelay_lost_to_retention_total", Help: "Offsets that retention removed before they had an outcome.",
		}),
	}
	for kind, reasons := range schema.Reasons {
		for _, reason := range reasons {
			m.outcomes.WithLabelValues(string(kind), string(reason))
		}
	}
	for _, class := range postback.Classes {
		m.attempts[class] = m.attemptsVec.WithLabelValues(class.String())
	}
	for _, result := range []string{"ok", "failed"} {
		m.commits.WithLabelValues(result)
	}
	for _, topic := range []string{outcomesTopic, deadLetterTopic} {
		m.writeFailures.WithLabelValues(topic)
	}
	return m
}

var (
	workLagDesc   = prometheus.NewDesc("cjrelay_work_lag", "Orders of our partitions without an outcome.", nil, nil)
	commitLagDesc = prometheus.NewDesc("cjrelay_commit_lag", "Orders of our partitions past the committed offset.", nil, nil)
	oldestDesc    = prometheus.NewDesc("cjrelay_oldest_unacked_seconds", "Age of the oldest order in memory without an outcome, by its record's time; 0 when there is none.", nil, nil)
	retentionDesc = prometheus.NewDesc("cjrelay_orders_retention_seconds", "How long the orders' topic keeps a record; +Inf when for ever, or while that is not known.", nil, nil)
	stalledDesc   = prometheus.NewDesc("cjrelay_stalled_partitions", "Partitions with orders that make no progress though nothing pauses them.", nil, nil)
	openDesc      = prometheus.NewDesc("cjrelay_open_transaction_offsets", "Offsets of our partitions that cannot be read before a producer's open transaction ends; no lag counts them.", nil, nil)
	breakerDesc   = prometheus.NewDesc("cjrelay_breaker_state", "State of the circuit breaker: 0 closed, 1 half-open, 2 open.", nil, nil)
	pausedDesc    = prometheus.NewDesc("cjrelay_paused", "1 while fetching of at least one partition pauses for the reason.", []string{"reason"}, nil)
	pendingDesc   = prometheus.NewDesc("cjrelay_pending_orders", "Orders in memory without an outcome.", nil, nil)
	heldDesc      = prometheus.NewDesc("cjrelay_held_orders", "Rejected orders that the mass rule holds, by the stage that rejected them.", []string{"stage"}, nil)
	partsDesc     = prometheus.NewDesc("cjrelay_assigned_partitions", "Partitions of the orders' topic that this instance has.", nil, nil)
)

// Describe and Collect make the consumer a prometheus.Collector.
func (c *Consumer) Describe(descriptions chan<- *prometheus.Desc) {
	prometheus.DescribeByCollect(c, descriptions)
}

// Collect implements prometheus.Collector. It may be called before Run and while it runs.
func (c *Consumer) Collect(collected chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		collected <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	lag := c.Lag()
	gauge(workLagDesc, float64(lag.Work))
	gauge(commitLagDesc, float64(lag.Commit))
	age := 0.0
	if !lag.Oldest.IsZero() {
		age = max(0, time.Since(lag.Oldest).Seconds())
	}
	gauge(oldestDesc, age)
	gauge(retentionDesc, c.retention.seconds())
	c.mu.Lock()
	stalled, assigned := c.stalled, len(c.lives)
	pauses := c.pauses
	c.mu.Unlock()
	gauge(stalledDesc, float64(stalled))
	gauge(openDesc, float64(c.heldByTransactions()))
	gauge(partsDesc, float64(assigned))
	gauge(pendingDesc, float64(c.bounds.orders()))
	for _, at := range stages {
		gauge(heldDesc, float64(c.rules[at].state().Held), string(at))
	}
	gauge(breakerDesc, float64(c.config.Breaker.State()))
	var active map[PauseReason]bool
	if pauses != nil {
		active = pauses.now()
	}
	for _, reason := range pauseReasons {
		value := 0.0
		if active[reason] {
			value = 1
		}
		gauge(pausedDesc, value, string(reason))
	}
	c.metrics.outcomes.Collect(collected)
	c.metrics.attemptsVec.Collect(collected)
	c.metrics.attemptSeconds.Collect(collected)
	c.metrics.commits.Collect(collected)
	c.metrics.writeFailures.Collect(collected)
	c.metrics.illegalCarried.Collect(collected)
	c.metrics.alreadyDone.Collect(collected)
	c.metrics.lost.Collect(collected)
}
