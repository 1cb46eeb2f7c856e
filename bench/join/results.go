//go:build linux

package main

import (
	"fmt"
	"io"
	"time"
)

// The targets.
const (
	targetRatio   = 0.25
	targetWarm    = 2 * time.Second
	targetLookups = 100_000
	targetPeak    = 512 << 20
	targetOnDisk  = 100
)

// results are the figures that the summary needs.
type results struct {
	raw, cold   []Read
	ratios      []float64
	perSession  float64
	hot, hotAll Lookups
	peak        int64
	// warm starts: before and after the files were brought together, and after a kill.
	unsettled, warm, killed Restored
}

// print writes the summary.
func (r *results) print(out io.Writer, o options) {
	fmt.Fprintf(out, "\n%d sessions, %s; median of %d rounds\n", o.sessions, o.format, o.rounds)
	line := func(what string, reached bool, format string, a ...any) {
		mark := "reached"
		if !reached {
			mark = "MISSED"
		}
		fmt.Fprintf(out, "  %-40s %-28s %s\n", what, fmt.Sprintf(format, a...), mark)
	}
	ratio := medianOf(r.ratios)
	line("restore, share of the raw read", ratio >= targetRatio, "%.2f (target %.2f, aim 0.5)", ratio, targetRatio)
	line("warm start, right after a restore", r.unsettled.Took < targetWarm, "%.2f s (target %s)", r.unsettled.Took.Seconds(), targetWarm)
	line("warm start, 10,000 clicks behind", r.warm.Took < targetWarm, "%.2f s (target %s)", r.warm.Took.Seconds(), targetWarm)
	line("the same after a kill", r.killed.Took < targetWarm, "%.2f s (target %s)", r.killed.Took.Seconds(), targetWarm)
	line("hot lookups a second, one thread", r.hot.perCore() >= targetLookups, "%.0f (target %d)", r.hot.perCore(), targetLookups)
	line("the same a second of processor time", r.hot.perProcessorSecond() >= targetLookups, "%.0f (target %d)", r.hot.perProcessorSecond(), targetLookups)
	line("hot lookups a second and core, all", r.hotAll.perCore() >= targetLookups, "%.0f (target %d)", r.hotAll.perCore(), targetLookups)
	line("resident memory at most", r.peak < targetPeak, "%d MiB (target %d)", r.peak>>20, targetPeak>>20)
	line("bytes on disk a session", r.perSession <= targetOnDisk, "%.1f (target %d)", r.perSession, targetOnDisk)
}
