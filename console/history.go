package console

import (
	"context"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

const (
	// sampleEvery is how far apart the samples of the past are, and samplesKept how many there are: an hour. They take
	// a hundred kilobytes, and a page shows no finer ones.
	sampleEvery = 5 * time.Second
	samplesKept = 720
)

// History is the past of the counts, so that a page does not begin with nothing. Its JSON is the answer of /history:
// fields may be added to it and to what is in it.
type History struct {
	// Every is how many seconds the samples are apart.
	Every int `json:"every_seconds"`
	// Bounds are those of the buckets of Sample.Latency, in seconds.
	Bounds []float64 `json:"bounds"`
	// Samples are oldest first, of the latest hour. Never nil.
	Samples []Sample `json:"samples"`
}

// Sample is what the counts were at a time.
type Sample struct {
	At           time.Time `json:"at"`
	Acknowledged int64     `json:"acknowledged"`
	Failed       int64     `json:"failed"`
	// Latency has, for each bound, how many attempts took at most that long.
	Latency []int64 `json:"latency"`
}

// past collects samples while pages ask for them.
type past struct {
	mu      sync.Mutex
	bounds  []float64
	samples []Sample
}

// keep adds a sample, and drops the oldest where there are too many.
func (p *past) keep(at time.Time, counts Counts) {
	sample := Sample{At: at, Acknowledged: counts.Acknowledged, Failed: counts.Failed, Latency: make([]int64, len(counts.Latency))}
	bounds := make([]float64, len(counts.Latency))
	for i, bucket := range counts.Latency {
		bounds[i], sample.Latency[i] = bucket.Seconds, bucket.Attempts
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bounds = bounds
	if len(p.samples) == samplesKept {
		p.samples = slices.Delete(p.samples, 0, 1)
	}
	p.samples = append(p.samples, sample)
}

// look is a copy for a page.
func (p *past) look() History {
	p.mu.Lock()
	defer p.mu.Unlock()
	return History{Every: int(sampleEvery / time.Second), Bounds: append([]float64{}, p.bounds...), Samples: append([]Sample{}, p.samples...)}
}

// remember samples the counts until ctx ends.
func (s *Server) remember(ctx context.Context) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		s.past.keep(time.Now().UTC(), s.counts())
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// historyPage answers /history.
func (s *Server) historyPage(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.past.look()) }

// settle works out what is said of all outcomes and attempts together.
func (c *Counts) settle() {
	for _, outcome := range c.Outcomes {
		if outcome.Outcome == schema.Acknowledged {
			c.Acknowledged += outcome.Orders
		}
	}
	for class, attempts := range c.Attempts {
		switch class {
		case "acknowledged", "rejected", "cancelled":
		default:
			c.Failed += attempts
		}
	}
}
