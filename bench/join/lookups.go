//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Asked says which lookups to make.
type Asked struct {
	// Sessions is how many there are; the lookups are spread over them at random. Absent are as many that have
	// no click.
	Sessions int
	Absent   bool
	// Lookups is how many each goroutine makes.
	Lookups, Goroutines int
	// Profile names the processor profile, empty for none.
	Profile string
}

// Lookups is how they went. What the benchmark itself does for one, it makes up the session and checks the answer, is
// in the processor time, but not in Took and the percentiles.
type Lookups struct {
	Asked
	// Took is the time in lookups, of all goroutines together.
	Took      time.Duration
	Processor time.Duration
	P50, P99  time.Duration
}

// perCore is lookups a second and core, where there is a core for each goroutine.
func (l Lookups) perCore() float64 {
	return float64(l.Lookups*l.Goroutines) / l.Took.Seconds()
}

// perProcessorSecond is lookups a second of processor time. Others that use the machine do not change it much.
func (l Lookups) perProcessorSecond() float64 {
	return float64(l.Lookups*l.Goroutines) / l.Processor.Seconds()
}

func (l Lookups) String() string {
	return fmt.Sprintf("%7.0f/s a core  p50 %6.1f us  p99 %7.1f us  %5.2f us processor time each", l.perCore(),
		micros(l.P50), micros(l.P99), 1e6/l.perProcessorSecond())
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// Lookup looks sessions up as an order does, and checks each answer.
func (t *Table) Lookup(asked Asked, lookups *Lookups) error {
	lookups.Asked = asked
	times := make([][]time.Duration, asked.Goroutines)
	failures := make([]error, asked.Goroutines)
	for i := range times {
		times[i] = make([]time.Duration, 0, asked.Lookups)
	}
	if asked.Profile != "" {
		stopProfile, err := startProfile(t.task.Profile, asked.Profile)
		if err != nil {
			return err
		}
		defer stopProfile()
	}
	used, start := processorTime(), time.Now()
	var running sync.WaitGroup
	for i := range times {
		running.Go(func() { times[i], failures[i] = t.lookUp(asked, times[i], start) })
	}
	running.Wait()
	lookups.Processor = processorTime() - used
	all := slices.Concat(times...)
	for _, took := range all {
		lookups.Took += took
	}
	slices.Sort(all)
	if len(all) > 0 {
		lookups.P50, lookups.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return errors.Join(failures...)
}

// lookUp is one goroutine's lookups, for orders that are confirmed now.
func (t *Table) lookUp(asked Asked, times []time.Duration, now time.Time) ([]time.Duration, error) {
	for range asked.Lookups {
		n := rand.IntN(asked.Sessions)
		want, wantReason := t.task.Shoppers.click(n), schema.Reason("")
		if asked.Absent {
			n, want, wantReason = -1-n, schema.Click{}, schema.ReasonNoClick
		}
		session := t.task.Shoppers.session(n)
		start := time.Now()
		click, reason, err := t.table.Lookup(0, session, now)
		times = append(times, time.Since(start))
		if err != nil {
			return nil, err
		}
		if reason != wantReason || click.ID != want.ID || !click.CapturedAt.Equal(want.CapturedAt) {
			return nil, fmt.Errorf("wrong answer for session %d: reason %q instead of %q, or another click than was produced", n, reason, wantReason)
		}
	}
	return times, nil
}
