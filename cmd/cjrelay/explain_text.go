package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/schema"
)

// writeExplanation prints what is known of an order, for people.
func writeExplanation(out io.Writer, known explanation) error {
	var text strings.Builder
	fmt.Fprintf(&text, "order %s\n", printable(known.OrderID))
	for i, outcome := range known.Outcomes {
		writeOutcome(&text, outcome)
		if i == len(known.Outcomes)-1 { // what came of it since is told by the next one
			writeAdvice(&text, outcome)
		}
	}
	if known.OutcomesTrouble != "" {
		fmt.Fprintf(&text, "\nno outcomes: %s\n", known.OutcomesTrouble)
	}
	for _, order := range known.Process {
		writeTrail(&text, order)
	}
	if known.Trouble != "" {
		fmt.Fprintf(&text, "\nno timeline: %s\n", known.Trouble)
	} else if len(known.Process) == 0 && len(known.Outcomes) > 0 {
		text.WriteString("\nno timeline: the process that was asked does not know it any more, or another one had it\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func writeOutcome(text *strings.Builder, o explainedOutcome) {
	fmt.Fprintf(text, "\n%s\n", ending(o.Outcome, o.Reason))
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	line := func(name, value string, arguments ...any) {
		fmt.Fprintf(table, "  %s\t%s\n", name, fmt.Sprintf(value, arguments...))
	}
	line("at", "%s", shownTime(o.At))
	line("record", "%s[%d]@%d, group %s, %s", o.Topic, o.Partition, o.Offset, o.Group, committedOrNot(o.Committed))
	if o.Attempts > 0 {
		line("attempts", "%d, the last answered with %s", o.Attempts, answer(o.Status))
	}
	line("confirmed", "%s", shownTime(o.ConfirmedAt))
	if o.SessionID != "" {
		line("session", "%s", printable(o.SessionID))
	}
	if o.CJEvent != "" {
		line("click", "%s", o.CJEvent)
	}
	if o.QuerySHA256 != "" {
		line("query", "sha256 %s", o.QuerySHA256)
	}
	_ = table.Flush()
}

// writeAdvice says what can be done about an outcome.
func writeAdvice(text *strings.Builder, o explainedOutcome) {
	switch o.Outcome {
	case schema.DeadLetter, schema.Parked:
		fmt.Fprintf(text, "  see it with `cjrelay dlq show`, and send it again with `cjrelay dlq redrive`\n")
	case schema.Unattributed:
		if o.SessionID != "" {
			fmt.Fprintf(text, "  see why with `cjrelay clicks get %s --at %s`\n", printable(o.SessionID), o.ConfirmedAt.UTC().Format("2006-01-02T15:04:05.000Z"))
		}
	}
}

func ending(kind schema.Kind, reason schema.Reason) string {
	words := strings.ReplaceAll(string(kind), "_", " ")
	if reason != "" {
		words += ": " + string(reason)
	}
	return words
}

func committedOrNot(committed *bool) string {
	switch {
	case committed == nil:
		return "which has no offset there"
	case *committed:
		return "committed"
	}
	return "not committed yet"
}

func answer(status int) string {
	if status == 0 {
		return "nothing"
	}
	return fmt.Sprint(status)
}

// writeTrail prints what the process has seen.
func writeTrail(text *strings.Builder, order console.Order) {
	fmt.Fprintf(text, "\nseen by the process: %s[%d]@%d, produced %s\n", order.Topic, order.Partition, order.Offset, shownTime(order.Produced))
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	for _, step := range order.Steps {
		words := step.What
		if step.What == consumer.StepAttempt {
			words = fmt.Sprintf("attempt: %s after %.0f ms", answer(step.Status), step.LatencyMS)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\n", step.At.UTC().Format("15:04:05.000"), words, step.Detail)
	}
	_ = table.Flush()
	if order.Omitted > 0 {
		fmt.Fprintf(text, "  (%d steps in the middle are left out)\n", order.Omitted)
	}
	if order.Doing != "" && order.Outcome == "" {
		fmt.Fprintf(text, "  now: %s\n", order.Doing)
	}
	if order.URL != "" {
		fmt.Fprintf(text, "  %s\n", order.URL)
	}
}
