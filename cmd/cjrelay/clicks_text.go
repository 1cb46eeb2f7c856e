package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/schema"
)

// writeClicks prints what is known of a session, for people.
func writeClicks(out io.Writer, found console.SessionClicks, where string) error {
	var text strings.Builder
	fmt.Fprintf(&text, "session    %s\nlooked in  %s\n\n", printable(found.Session), where)
	counts := counting(found)
	if len(found.Clicks) == 0 {
		text.WriteString("no clicks\n")
	} else {
		table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "CAPTURED AT\tCLICK\tWHEN")
		for i, click := range found.Clicks {
			mark := ""
			if i == counts {
				mark = ", counts"
			}
			fmt.Fprintf(table, "%s\t%s\t%s%s\n", shownTime(click.CapturedAt), click.CJEvent, relation(click.CapturedAt, found.At), mark)
		}
		_ = table.Flush()
	}
	if found.Erased {
		text.WriteString("erased: a tombstone removed what was there before it\n")
	}
	if found.Invalid {
		text.WriteString("invalid: at least one click cannot be read and was skipped\n")
	}
	fmt.Fprintf(&text, "\nan order confirmed at %s would be %s\n", shownTime(found.At), verdict(found, counts))
	_, err := io.WriteString(out, text.String())
	return err
}

// counting is the index of the click that counts, -1 when none does.
func counting(found console.SessionClicks) int {
	if found.Verdict.Outcome != schema.Acknowledged {
		return -1
	}
	return latest(found)
}

// latest is the index of the latest click at or before the order, -1 when there is none.
func latest(found console.SessionClicks) int {
	for i := len(found.Clicks) - 1; i >= 0; i-- {
		if !found.Clicks[i].CapturedAt.After(found.At) {
			return i
		}
	}
	return -1
}

// verdict is the outcome with its reason, in plain words behind it.
func verdict(found console.SessionClicks, counts int) string {
	if counts >= 0 {
		return fmt.Sprintf("attributed: %s (with click %s, %s)", found.Verdict.Reason, found.Verdict.CJEvent, relation(found.Clicks[counts].CapturedAt, found.At))
	}
	text := fmt.Sprintf("%s: %s", found.Verdict.Outcome, found.Verdict.Reason)
	switch found.Verdict.Reason {
	case schema.ReasonNoClick:
		text += " (the topic holds nothing of this session)"
	case schema.ReasonClickAfterOrder:
		if len(found.Clicks) > 0 {
			text += fmt.Sprintf(" (the first click came %s)", relation(found.Clicks[0].CapturedAt, found.At))
		}
	case schema.ReasonClickExpired:
		if i := latest(found); i >= 0 {
			text += fmt.Sprintf(" (the latest click came %s, which is more than clicks.window)", relation(found.Clicks[i].CapturedAt, found.At))
		}
	case schema.ReasonClickErased:
		text += " (a tombstone removed the session's clicks)"
	case schema.ReasonClickInvalid:
		text += " (no click of this session can be read)"
	}
	return text
}

// relation says how long before or after the order a click was captured.
func relation(captured, order time.Time) string {
	switch age := order.Sub(captured); {
	case age > 0:
		return span(age) + " before"
	case age < 0:
		return span(-age) + " later"
	default:
		return "at the same moment"
	}
}

// span is a positive duration with days and without zeros at its end, cut to milliseconds where it has any.
func span(d time.Duration) string {
	if d > time.Millisecond {
		d = d.Truncate(time.Millisecond)
	}
	const day = 24 * time.Hour
	text := ""
	if d >= day {
		text = strconv.FormatInt(int64(d/day), 10) + "d"
	}
	if d %= day; d > 0 {
		rest := d.String()
		if strings.HasSuffix(rest, "m0s") {
			rest = strings.TrimSuffix(rest, "0s")
		}
		if strings.HasSuffix(rest, "h0m") {
			rest = strings.TrimSuffix(rest, "0m")
		}
		text += rest
	}
	return text
}

// shownTime is a time with milliseconds, cut.
func shownTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// printable is the session as it is, or quoted where a terminal would not show it so.
func printable(session string) string {
	if quoted := strconv.Quote(session); quoted[1:len(quoted)-1] != session {
		return quoted
	}
	return session
}
