package console

import (
	"encoding/json"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/cjrelay/cjrelay/schema"
)

// Relay is a running stream processor as the console sees it. Its methods are called by several requests at once and
// must not wait.
type Relay interface {
	// State is how it stands now. Time, Version, Ready and Counts are filled in by the console.
	State() State
	// Orders are those that it knows and that fit, latest first, limit at most.
	Orders(asked Asked, limit int) []Order
}

// State is a process as it stands now. Its JSON is the answer of /state, and each event of /events: fields may be
// added to it. Offsets are -1 while unknown; empty lists are [], not null.
type State struct {
	At      time.Time `json:"at"`
	Version string    `json:"version"`
	Group   string    `json:"group"`
	Topic   string    `json:"topic"`
	// Actions tells whether the process takes actions: it has an admin token.
	Actions bool    `json:"actions"`
	Ready   []Ready `json:"ready"`
	// Paused are the reasons for which fetching pauses everywhere.
	Paused      []string    `json:"paused"`
	InMemory    int         `json:"in_memory"`
	MaxInMemory int         `json:"max_in_memory"`
	Breaker     []Turn      `json:"breaker"`
	Rules       []Rule      `json:"rules"`
	Partitions  []Partition `json:"partitions"`
	Clicks      Clicks      `json:"clicks"`
	Counts      Counts      `json:"counts"`
}

// Ready is one condition of readiness.
type Ready struct {
	Name string `json:"name"`
	// Trouble is empty when the condition holds.
	Trouble string `json:"trouble,omitempty"`
}

// Turn is a state of the circuit and since when: closed, half-open or open. The last one is the state now.
type Turn struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	// FailedProbes is how many times an open circuit turned half-open and back.
	FailedProbes int `json:"failed_probes,omitempty"`
	// Cause is why the attempt failed that opened the circuit, or opened it again; empty when it is closed.
	Cause string `json:"cause,omitempty"`
}

// Rule is how the mass rule stands at one stage.
type Rule struct {
	Stage string `json:"stage"`
	// Held orders were rejected there and have no outcome; Rejected of the Latest distinct orders were.
	Held     int `json:"held"`
	Rejected int `json:"rejected"`
	Latest   int `json:"latest"`
	// Holding: half or more are rejected, so none is dead-lettered. Stopped: an operator wants no more tries.
	Holding bool `json:"holding"`
	Stopped bool `json:"stopped"`
	// Why is the latest rejection while orders are held.
	Why string `json:"why,omitempty"`
}

// Partition is one partition of the orders' topic that this process has.
type Partition struct {
	Partition int32 `json:"partition"`
	Committed int64 `json:"committed"`
	Next      int64 `json:"next"`
	End       int64 `json:"end"`
	// Done are ranges above Committed that have an outcome, each from its first offset up to but not including its second.
	Done [][2]int64 `json:"done"`
	// Pending are the lowest orders without an outcome, Counts how many there are by what they are at.
	Pending []Pending      `json:"pending"`
	Counts  map[string]int `json:"counts"`
	// Oldest is the record time of the oldest order without an outcome.
	Oldest  *time.Time `json:"oldest,omitempty"`
	Paused  []string   `json:"paused"`
	Stopped string     `json:"stopped,omitempty"`
}

// Pending is an order without an outcome, and what it is at.
type Pending struct {
	Offset int64  `json:"offset"`
	Doing  string `json:"doing"`
}

// Clicks is the click table.
type Clicks struct {
	// Behind is how many records of the click topic waiting orders need and the table has not read.
	Behind int64 `json:"behind"`
	// Sessions is about how many it knows, Bytes what it takes on disk.
	Sessions int64 `json:"sessions"`
	Bytes    int64 `json:"bytes"`
	// Trouble says why it is not ready.
	Trouble string `json:"trouble,omitempty"`
}

// Counts only grow while the process lives: a rate is the difference of two.
type Counts struct {
	Outcomes []OutcomeCount `json:"outcomes"`
	// Acknowledged is how many orders CJ acknowledged, Failed how many attempts had an answer that is no receipt and no
	// rejection, or none.
	Acknowledged int64 `json:"acknowledged"`
	Failed       int64 `json:"failed"`
	// Attempts by the class of CJ's answer.
	Attempts map[string]int64 `json:"attempts"`
	// Latency has, for each bound in seconds, how many attempts took at most that long.
	Latency []Bucket `json:"latency"`
}

// OutcomeCount is how many orders ended so.
type OutcomeCount struct {
	Outcome schema.Kind   `json:"outcome"`
	Reason  schema.Reason `json:"reason"`
	Orders  int64         `json:"orders"`
}

// Bucket is one of a cumulative histogram.
type Bucket struct {
	Seconds  float64 `json:"seconds"`
	Attempts int64   `json:"attempts"`
}

// state is what /state answers.
func (s *Server) state() State {
	now := s.config.Relay.State()
	now.At, now.Version, now.Actions = time.Now().UTC(), s.config.Version, s.config.Token != ""
	now.Ready = []Ready{}
	for _, check := range s.config.Ready() {
		one := Ready{Name: check.Name}
		if check.Err != nil {
			one.Trouble = check.Err.Error()
		}
		now.Ready = append(now.Ready, one)
	}
	now.Counts = s.counts()
	return now
}

// counts gathers the metrics.
func (s *Server) counts() Counts {
	all := Counts{Outcomes: []OutcomeCount{}, Attempts: map[string]int64{}, Latency: []Bucket{}}
	// What fails to be gathered is shown by /metrics, too; the page has the rest.
	families, _ := s.config.Metrics.Gather()
	for _, family := range families {
		all.take(family)
	}
	all.settle()
	return all
}

// take adds a family of metrics where it is of use.
func (c *Counts) take(family *dto.MetricFamily) {
	for _, metric := range family.GetMetric() {
		switch family.GetName() {
		case "cjrelay_outcomes_total":
			c.Outcomes = append(c.Outcomes, OutcomeCount{
				Outcome: schema.Kind(label(metric, "outcome")), Reason: schema.Reason(label(metric, "reason")), Orders: int64(metric.GetCounter().GetValue()),
			})
		case "cjrelay_attempts_total":
			c.Attempts[label(metric, "class")] = int64(metric.GetCounter().GetValue())
		case "cjrelay_attempt_seconds":
			for _, bucket := range metric.GetHistogram().GetBucket() {
				c.Latency = append(c.Latency, Bucket{Seconds: bucket.GetUpperBound(), Attempts: int64(bucket.GetCumulativeCount())})
			}
		}
	}
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}

// statePage answers /state.
func (s *Server) statePage(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.state()) }

// writeJSON answers with what only holds now.
func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // no browser takes it for a page, and an & is to be an & where somebody copies a URL
	_ = encoder.Encode(value)
}
