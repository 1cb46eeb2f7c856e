package replay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// Mode is what a replay is for.
type Mode struct {
	// Live judges what happens when the live group is set back: it remembers nothing, joins anew and sends everything.
	Live bool `json:"live,omitempty"`
	// Again sends what CJ has acknowledged once more, with the click that it was acknowledged with.
	Again bool `json:"again,omitempty"`
	// Unattributed does only what ended without a click and has one now.
	Unattributed bool `json:"unattributed,omitempty"`
}

// Survey is what a replay would do. It holds no order.
type Survey struct {
	Plan       Plan
	Mode       Mode
	Partitions map[int32]*Tally
	Total      *Tally

	index  *index
	wanted map[int32]*marks
	// last is one more than the last record's offset of each partition, where that is not its range's end: behind it
	// stand only markers, and nobody who reads is told of them.
	last map[int32]int64
}

// Surveyor makes surveys.
type Surveyor struct {
	// Config is the relay's, with a clicks.dir that nobody else uses.
	Config config.Config
	Client *kgo.Client
	Log    *slog.Logger
	// Group is the replay's own, whose acknowledgements count as done when it goes on after an interruption.
	Group string
	// Progress is told how far each step is. It may be nil.
	Progress func(step string, done, total int64)
}

// The steps that Progress hears of.
const (
	StepOrders   = "reading orders"
	StepOutcomes = "reading outcomes"
	StepClicks   = "reading clicks"
	StepJudging  = "judging orders"
)

// Survey reads the orders of a plan, what became of them, and the clicks, and judges each order. Nothing is sent.
func (s Surveyor) Survey(ctx context.Context, plan Plan, mode Mode) (survey *Survey, err error) {
	survey = &Survey{Plan: plan, Mode: mode, Partitions: map[int32]*Tally{}, Total: newTally(), index: newIndex(), wanted: map[int32]*marks{}, last: map[int32]int64{}}
	for partition, r := range plan.Ranges {
		survey.Partitions[partition] = newTally()
		survey.wanted[partition] = newMarks(r)
		survey.last[partition] = r.From
	}
	if plan.extent().Offsets() == 0 {
		return survey, nil
	}
	cfg := s.Config
	parts, err := relay.NewParts(cfg, s.Log)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := parts.Close(); err == nil {
			err = closing
		}
	}()
	j := &judge{parts: parts, enterpriseID: cfg.CJ.EnterpriseID, tolerance: cfg.Delivery.FutureTolerance}
	// The click table restores itself beside the first two steps.
	running, stop := context.WithCancelCause(ctx)
	var table sync.WaitGroup
	defer table.Wait()
	defer stop(nil)
	table.Go(func() {
		if err := parts.Table.Run(running); err != nil {
			stop(err)
		}
	})
	err = s.steps(running, j, survey)
	if cause := context.Cause(running); err != nil && cause != nil && ctx.Err() == nil {
		err = cause
	}
	return survey, err
}

func (s Surveyor) steps(ctx context.Context, j *judge, survey *Survey) error {
	if err := s.census(ctx, j, survey); err != nil {
		return err
	}
	outcomes, err := extent.Whole(ctx, s.Client, s.Config.Outcomes.Topic)
	if err != nil {
		return err
	}
	if err := survey.index.read(ctx, s.Client, outcomes, s.counter(StepOutcomes, outcomes.Offsets())); err != nil {
		return err
	}
	if err := s.awaitClicks(ctx, j, survey.Plan); err != nil {
		return err
	}
	return s.judge(ctx, j, survey)
}

// counter adds up the progress of a step.
func (s Surveyor) counter(step string, total int64) func(offsets int64) {
	var done atomic.Int64
	return func(offsets int64) {
		if now := done.Add(offsets); s.Progress != nil {
			s.Progress(step, now, total)
		}
	}
}

// census finds out which orders there are: of the outcomes only theirs need be kept.
func (s Surveyor) census(ctx context.Context, j *judge, survey *Survey) error {
	whole := survey.Plan.extent()
	progress := s.counter(StepOrders, whole.Offsets())
	var mu sync.Mutex
	return whole.Read(ctx, s.Client, func(batch extent.Batch) error {
		keys := make([]digest, len(batch.Records))
		for i, record := range batch.Records {
			r, err := j.read(ctx, record)
			if err != nil {
				return fmt.Errorf("order at %s[%d]@%d: %w", record.Topic, record.Partition, record.Offset, err)
			}
			keys[i] = r.key
		}
		survey.index.expect(keys)
		if n := len(batch.Records); n > 0 {
			mu.Lock()
			survey.last[batch.Partition] = batch.Records[n-1].Offset + 1
			mu.Unlock()
		}
		progress(batch.Next - batch.From)
		return nil
	})
}

// awaitClicks waits until the click table knows every click that was there before it was asked.
func (s Surveyor) awaitClicks(ctx context.Context, j *judge, plan Plan) error {
	var partitions []int32
	for partition, r := range plan.Ranges {
		if r.From < r.To {
			partitions = append(partitions, partition)
		}
	}
	j.parts.Table.Follow(partitions...)
	fresh := make(chan error, 1)
	gate := j.parts.Table.Gate()
	go func() {
		for _, partition := range partitions {
			if err := gate.Wait(ctx, partition); err != nil {
				fresh <- err
				return
			}
		}
		fresh <- nil
	}()
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	most := int64(0)
	for {
		select {
		case err := <-fresh:
			return err
		case <-ticker.C:
			if left := j.parts.Table.Behind(); s.Progress != nil {
				most = max(most, left)
				s.Progress(StepClicks, most-left, most)
			}
		}
	}
}

// judge is the last step: it says of each order how it would end, and whether the replay does it.
func (s Surveyor) judge(ctx context.Context, j *judge, survey *Survey) error {
	whole := survey.Plan.extent()
	progress := s.counter(StepJudging, whole.Offsets())
	now := time.Now()
	err := whole.Read(ctx, s.Client, func(batch extent.Batch) error {
		// Batches of one partition come one at a time, and each partition has a tally of its own.
		tally, wanted := survey.Partitions[batch.Partition], survey.wanted[batch.Partition]
		for _, record := range batch.Records {
			r, err := j.read(ctx, record)
			if err != nil {
				return err
			}
			before := survey.index.of(r.key)
			does, err := survey.count(tally, before, s.Group, func() (verdict, error) { return j.judge(r, batch.Partition, now) },
				func() verdict {
					if r.order == nil {
						return verdict{}
					}
					return j.with(r.order, before.click, before.origin, now)
				}, func() bool { return survey.index.first(r.key) })
			if err != nil {
				return fmt.Errorf("order at %s[%d]@%d: %w", record.Topic, record.Partition, record.Offset, err)
			}
			if does {
				tally.ToDo++
				wanted.set(record.Offset)
			}
		}
		progress(batch.Next - batch.From)
		return nil
	})
	for _, tally := range survey.Partitions {
		survey.Total.add(tally)
	}
	return err
}

// count puts one order into a tally and says whether the replay does it. anew judges the order as if nothing were known
// of it, asSent builds it with the click that it was acknowledged with, and first tells whether it is the first record of
// its order that would be sent.
func (s *Survey) count(t *Tally, before *history, group string, anew func() (verdict, error), asSent func() verdict, first func() bool) (does bool, err error) {
	t.Orders++
	if before.hasIt() && !s.Mode.Live {
		switch {
		case !s.Mode.Again || before.group == group || !before.acknowledged:
			t.Acknowledged++
			return false, nil
		case before.sameQuery(asSent()):
			t.Again++
			return true, nil
		}
		// What CJ keeps is what it got first.
		t.Changed++
		return false, nil
	}
	v, err := anew()
	if err != nil {
		return false, err
	}
	switch {
	case before.hasIt() && before.sameQuery(v):
		t.Again++
		return true, nil
	case before.hasIt():
		t.Changed++
		return true, nil
	case v.kind == schema.Acknowledged && s.Mode.Unattributed && (before == nil || before.latest != schema.Unattributed):
		t.Other++
		return false, nil
	case v.kind == schema.Acknowledged && !first():
		t.Repeated++
		return true, nil
	case v.kind == schema.Acknowledged:
		t.Send[v.reason]++
		if before != nil && (before.latest == schema.DeadLetter || before.latest == schema.Parked) {
			t.Waiting++
		}
		return true, nil
	case v.kind == schema.Unattributed:
		t.Unattributed[v.reason]++
	default:
		t.DeadLetters[v.reason]++
	}
	// What has ended without being sent ends so again, and has an outcome already that says so.
	return s.Mode.Live || !s.Mode.Unattributed && before == nil, nil
}
