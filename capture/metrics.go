package capture

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// refusal is why something that a request brought was not believed. It is a metric's label.
type refusal string

const (
	// refusedClickID: the click id breaks CJ's rules.
	refusedClickID refusal = "illegal_click_id"
	// refusedQuery: the query was too long, or had too many parameters, to be looked through.
	refusedQuery refusal = "query_too_long"
	// refusedSession: a session id is too long or has illegal characters.
	refusedSession refusal = "illegal_session"
	// refusedCompanion: a companion cookie is not ours, was changed, or signed with a secret that is not known.
	refusedCompanion refusal = "forged_companion"
	// refusedCookie: CJ's cookie holds no legal click id.
	refusedCookie refusal = "illegal_cookie"
	// refusedConsent: there was a click id but no consent.
	refusedConsent refusal = "no_consent"
	// refusedByShop: there was a click id, and the shop took CJ's cookie away in its response.
	refusedByShop refusal = "expired_by_shop"
	// refusedFlood: the client makes too many clicks.
	refusedFlood refusal = "too_many"
)

var refusals = []refusal{refusedClickID, refusedQuery, refusedSession, refusedCompanion, refusedCookie, refusedConsent, refusedByShop, refusedFlood}

// loss is why a click that was caught did not get on. It is a metric's label.
type loss string

const (
	// lostQueue: more clicks came than the disk took.
	lostQueue loss = "queue_full"
	// lostRoom: the spool is full.
	lostRoom loss = "spool_full"
	// lostStopped: it came after the end.
	lostStopped loss = "stopped"
	// lostKafka: Kafka refuses this record for good. It is set aside in the spool's directory.
	lostKafka loss = "refused_by_kafka"
	// lostDamaged: it could not be read back from the spool. The file is set aside.
	lostDamaged loss = "damaged"
)

var losses = []loss{lostQueue, lostRoom, lostStopped, lostKafka, lostDamaged}

type metrics struct {
	landings, cookies, caught, rebound, adopted, erased prometheus.Counter
	undurable, insecure, foreignHost                    prometheus.Counter
	spooled, produced, unspooled                        prometheus.Counter
	refusedVec, lostVec                                 *prometheus.CounterVec
	refused                                             map[refusal]prometheus.Counter
	lost                                                map[loss]prometheus.Counter
}

func newMetrics() *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "cjrelay_capture_" + name, Help: help})
	}
	m := &metrics{
		landings:    counter("landings_total", "Requests with a click id in their address, legal or not."),
		cookies:     counter("cookies_total", "Responses that set CJ's cookie."),
		caught:      counter("caught_total", "New clicks that were caught."),
		rebound:     counter("rebound_total", "Clicks written again because the shopper shows a further session id."),
		adopted:     counter("adopted_total", "Clicks known only from CJ's cookie, which another edge, secret or tool has set."),
		erased:      counter("erased_total", "Sessions that were to be forgotten."),
		undurable:   counter("undurable_total", "Responses with the durable setting on that went out before their click was on disk."),
		insecure:    counter("insecure_total", "Responses that set CJ's cookie on plain HTTP, where browsers refuse it."),
		foreignHost: counter("foreign_host_total", "Responses that set cookies for their host alone because it is outside of the cookie domain."),
		spooled:     counter("spooled_total", "Clicks and erasures written to the spool."),
		unspooled:   counter("unspooled_total", "Clicks and erasures held in memory because the disk did not take them."),
		produced:    counter("produced_total", "Clicks and erasures that Kafka acknowledged."),
		refusedVec: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cjrelay_capture_refused_total", Help: "What requests brought and was not believed, by reason.",
		}, []string{"reason"}),
		lostVec: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "cjrelay_capture_lost_total", Help: "Clicks and erasures that were caught and did not get on, by reason.",
		}, []string{"reason"}),
		refused: map[refusal]prometheus.Counter{},
		lost:    map[loss]prometheus.Counter{},
	}
	for _, reason := range refusals {
		m.refused[reason] = m.refusedVec.WithLabelValues(string(reason))
	}
	for _, reason := range losses {
		m.lost[reason] = m.lostVec.WithLabelValues(string(reason))
	}
	return m
}

var (
	waitingDesc = prometheus.NewDesc("cjrelay_capture_waiting", "Clicks and erasures that Kafka has not acknowledged yet.", nil, nil)
	bytesDesc   = prometheus.NewDesc("cjrelay_capture_spool_bytes", "Bytes that the spool takes.", nil, nil)
	maxDesc     = prometheus.NewDesc("cjrelay_capture_spool_max_bytes", "Bytes that the spool may take.", nil, nil)
	stuckDesc   = prometheus.NewDesc("cjrelay_capture_stuck_seconds", "For how long clicks have waited without Kafka acknowledging any; 0 when none wait.", nil, nil)
)

func (m *metrics) collect(collected chan<- prometheus.Metric, spool spoolState, queued int) {
	for _, counter := range []prometheus.Counter{
		m.landings, m.cookies, m.caught, m.rebound, m.adopted, m.erased, m.undurable, m.insecure, m.foreignHost, m.spooled, m.unspooled, m.produced,
	} {
		counter.Collect(collected)
	}
	m.refusedVec.Collect(collected)
	m.lostVec.Collect(collected)
	gauge := func(desc *prometheus.Desc, value float64) {
		collected <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value)
	}
	gauge(waitingDesc, float64(spool.records+queued))
	gauge(bytesDesc, float64(spool.bytes))
	gauge(maxDesc, float64(spool.maxBytes))
	stuck := 0.0
	if !spool.since.IsZero() {
		stuck = max(0, time.Since(spool.since).Seconds())
	}
	gauge(stuckDesc, stuck)
}
