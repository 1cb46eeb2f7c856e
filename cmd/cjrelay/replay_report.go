package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cjrelay/cjrelay/internal/replay"
	"github.com/cjrelay/cjrelay/schema"
)

// replayReport is the answer in JSON.
type replayReport struct {
	Topic string `json:"topic"`
	// Group is the replay's own, or the live one that is set back. Name is for --resume.
	Group string `json:"group"`
	Name  string `json:"name,omitempty"`
	replay.Mode
	Partitions []partitionReport `json:"partitions"`
	Total      *replay.Tally     `json:"total"`
	// Capped are the partitions whose end is where the live group stands.
	Capped []int32 `json:"capped"`
	// Executed is set with --execute, Done when the replay came to its end.
	Executed bool `json:"executed"`
	Done     bool `json:"done"`
	// Result is how the orders ended that this process did.
	Result replay.Result `json:"result,omitempty"`
}

type partitionReport struct {
	Partition int32 `json:"partition"`
	From      int64 `json:"from"`
	Until     int64 `json:"until"`
	*replay.Tally
}

func newReplayReport(j *replayJob, survey *replay.Survey) *replayReport {
	r := &replayReport{Topic: survey.Plan.Topic, Group: j.group, Name: j.name, Mode: survey.Mode, Total: survey.Total,
		Capped: survey.Plan.Capped, Partitions: []partitionReport{}}
	if survey.Mode.Live {
		r.Group, r.Name, r.Capped = j.live, "", nil
	}
	if r.Capped == nil {
		r.Capped = []int32{}
	}
	for _, partition := range slices.Sorted(maps.Keys(survey.Plan.Ranges)) {
		if at := survey.Plan.Ranges[partition]; at.From < at.To {
			r.Partitions = append(r.Partitions, partitionReport{partition, at.From, at.To, survey.Partitions[partition]})
		}
	}
	return r
}

func (r *replayReport) write(out io.Writer, form string) error {
	if form == "json" {
		return json.NewEncoder(out).Encode(r)
	}
	var text strings.Builder
	r.table(&text)
	text.WriteString("\n")
	r.explain(&text)
	r.ending(&text)
	_, err := io.WriteString(out, text.String())
	return err
}

func (r *replayReport) table(text *strings.Builder) {
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "PARTITION\tFROM\tUNTIL\tORDERS\tSEND\tAGAIN\tLEFT\tUNATTRIBUTED\tDEAD LETTERS\t")
	row := func(name, from, until string, t *replay.Tally) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t\n", name, from, until, t.Orders, replay.Sum(t.Send)+t.Repeated, r.again(t), r.left(t),
			replay.Sum(t.Unattributed), replay.Sum(t.DeadLetters))
	}
	for _, p := range r.Partitions {
		row(fmt.Sprint(p.Partition), fmt.Sprint(p.From), fmt.Sprint(p.Until), p.Tally)
	}
	row("total", "", "", r.Total)
	_ = table.Flush()
}

// again is how many are sent once more, left how many are not touched.
func (r *replayReport) again(t *replay.Tally) int64 {
	if r.Live {
		return t.Again + t.Changed
	}
	return t.Again
}

func (r *replayReport) left(t *replay.Tally) int64 {
	return t.Orders - replay.Sum(t.Send) - t.Repeated - r.again(t) - replay.Sum(t.Unattributed) - replay.Sum(t.DeadLetters)
}

// explain says in words what the table counts.
func (r *replayReport) explain(text *strings.Builder) {
	t := r.Total
	line := func(n int64, format string, arguments ...any) {
		if n > 0 {
			fmt.Fprintf(text, "%8d  %s\n", n, fmt.Sprintf(format, arguments...))
		}
	}
	line(replay.Sum(t.Send), "to send for the first time (%s)", byReasons(t.Send))
	line(t.Waiting, "of them wait in the dead-letter topic, too: do not redrive these letters as well")
	line(t.Repeated, "further records of the same orders, which end as duplicates")
	line(t.Acknowledged, "left as they are: CJ has acknowledged them")
	switch {
	case r.Live:
		line(t.Again, "that CJ has acknowledged, sent again in the same words: it de-duplicates them")
		line(t.Changed, "that CJ has acknowledged, joined anew and now different: another click or none, or other content")
	default:
		line(t.Again, "that CJ has acknowledged, sent again in the same words")
		line(t.Changed, "left as they are: acknowledged, but the same click would now give another query; CJ keeps what it got first")
	}
	line(t.Other, "left as they are: they could be sent, but did not end without a click")
	line(replay.Sum(t.Unattributed), "without a click (%s)", byReasons(t.Unattributed))
	line(replay.Sum(t.DeadLetters), "that cannot be sent (%s)", byReasons(t.DeadLetters))
	if len(r.Capped) > 0 {
		fmt.Fprintf(text, "partitions that end where the live group stands, as it sends what lies behind itself: %d\n", len(r.Capped))
	}
}

// ending says what was done.
func (r *replayReport) ending(text *strings.Builder) {
	switch {
	case r.Live && r.Executed:
		fmt.Fprintf(text, "group %s was set back: the next `cjrelay run` begins there\n", r.Group)
	case r.Live:
		fmt.Fprintf(text, "nothing was set back: say --execute to set group %s back\n", r.Group)
	case !r.Executed && r.Total.ToDo == 0:
		text.WriteString("there is nothing to do\n")
	case !r.Executed:
		text.WriteString("nothing was sent: say --execute to send\n")
	case len(r.Result) > 0:
		var parts []string
		for _, kind := range slices.Sorted(maps.Keys(r.Result)) {
			parts = append(parts, fmt.Sprintf("%d %s (%s)", replay.Sum(r.Result[kind]), kind, byReasons(r.Result[kind])))
		}
		fmt.Fprintf(text, "%s: %s\n", map[bool]string{true: "done", false: "so far"}[r.Done], strings.Join(parts, ", "))
	case r.Done:
		fmt.Fprintln(text, "done: there was nothing to do")
	default:
		fmt.Fprintln(text, "so far: nothing")
	}
}

// byReasons are counts in words, the largest first.
func byReasons(counts map[schema.Reason]int64) string {
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b schema.Reason) int {
		if counts[a] != counts[b] {
			return int(counts[b] - counts[a])
		}
		return strings.Compare(string(a), string(b))
	})
	parts := make([]string, len(reasons))
	for i, reason := range reasons {
		parts[i] = fmt.Sprintf("%d %s", counts[reason], reason)
	}
	return strings.Join(parts, ", ")
}
