package replay

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// Runner does what a survey has found.
type Runner struct {
	// Config is the relay's, with a clicks.dir that nobody else uses: the survey's, so that the click table is there.
	Config config.Config
	Admin  *kadm.Client
	Log    *slog.Logger
	// Group is the replay's own. Its offsets are where to begin.
	Group string
	// Progress is told about four times a second. It may be nil.
	Progress func(Progress)
}

// Progress is how far a replay is.
type Progress struct {
	// Done of Total orders have ended, whoever did them. What another process ends out of turn counts when all before it
	// has.
	Done, Total int64
	// Acknowledged is how many CJ has taken.
	Acknowledged int64
	// Trouble is what keeps it, in plain words, or empty.
	Trouble string
}

// Result is how the orders have ended that were done, by outcome and reason.
type Result map[schema.Kind]map[schema.Reason]int64

// lookEvery is how often the group's offsets are asked for.
const lookEvery = 250 * time.Millisecond

// Run sends what is to be sent, as a relay does: with its circuit, its mass rule, its outcomes and dead letters. It ends
// when the group has committed the end of every partition, whoever did the work, or when ctx ends; then done is false,
// and a later run goes on from there.
func (r Runner) Run(ctx context.Context, survey *Survey) (result Result, done bool, err error) {
	cfg := r.Config
	cfg.Orders.Group, cfg.Kafka.InstanceID = r.Group, ""
	processor, err := relay.NewReplay(cfg, r.Log, consumer.Replay{
		Until:  survey.last,
		Wanted: func(partition int32, offset int64) bool { return survey.wanted[partition].has(offset) },
		Recall: survey.recall,
	})
	if err != nil {
		return nil, false, err
	}
	registry := prometheus.NewRegistry()
	if err := processor.Register(registry); err != nil {
		return nil, false, err
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- processor.Run(running) }()
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	begun := int64(-1) // how many were done before this process did any
	for {
		select {
		case err := <-ended:
			return resultOf(registry), done, err
		case <-ticker.C:
		}
		if done || ctx.Err() != nil {
			continue
		}
		reached, err := offsetsOf(ctx, r.Admin, r.Group, survey.Plan.Topic)
		if err != nil {
			r.Log.Warn("asking how far the replay is", "error", err)
			continue
		}
		if done = survey.reached(reached); done {
			stop()
		}
		if r.Progress != nil {
			p, result := survey.progress(reached, processor), resultOf(registry)
			if begun < 0 {
				begun = p.Done
			}
			p.count(begun, result)
			r.Progress(p)
		}
	}
}

// recall finds the click that an order was acknowledged with.
func (s *Survey) recall(key string) (click string, origin schema.Reason, known bool) {
	before := s.index.of(digestOf(key))
	if before == nil || !before.acknowledged {
		return "", "", false
	}
	return before.click, before.origin, true
}

// reached tells whether offsets are at the end of every partition.
func (s *Survey) reached(offsets map[int32]kadm.Offset) bool {
	for partition, last := range s.last {
		if at, ok := offsets[partition]; !ok || at.At < last {
			return false
		}
	}
	return true
}

func (s *Survey) progress(offsets map[int32]kadm.Offset, processor *relay.Relay) Progress {
	p := Progress{Total: s.Total.ToDo}
	for partition, marked := range s.wanted {
		p.Done += marked.below(offsets[partition].At)
	}
	if state := processor.Breaker(); state != 0 {
		p.Trouble = fmt.Sprintf("the circuit is %s: CJ does not answer as it should", state)
	}
	for _, check := range processor.Ready() {
		if check.Err != nil && check.Name != "group" && check.Name != "clicks" {
			p.Trouble = check.Name + ": " + check.Err.Error()
		}
	}
	return p
}

// count adds what this process has done since so many were, above what is committed too.
func (p *Progress) count(begun int64, result Result) {
	for _, reasons := range result {
		begun += Sum(reasons)
	}
	p.Done, p.Acknowledged = min(max(p.Done, begun), p.Total), Sum(result[schema.Acknowledged])
}

// resultOf reads the relay's own counters.
func resultOf(registry *prometheus.Registry) Result {
	result := Result{}
	families, err := registry.Gather()
	if err != nil {
		return result
	}
	for _, family := range families {
		if family.GetName() != "cjrelay_outcomes_total" {
			continue
		}
		for _, series := range family.GetMetric() {
			n := int64(series.GetCounter().GetValue())
			if n == 0 {
				continue
			}
			var kind schema.Kind
			var reason schema.Reason
			for _, label := range series.GetLabel() {
				switch label.GetName() {
				case "outcome":
					kind = schema.Kind(label.GetValue())
				case "reason":
					reason = schema.Reason(label.GetValue())
				}
			}
			if result[kind] == nil {
				result[kind] = map[schema.Reason]int64{}
			}
			result[kind][reason] += n
		}
	}
	return result
}
