package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

// dlqListCmd is `cjrelay dlq list`.
type dlqListCmd struct {
	configFlag
	dlqChoice
	Redriven bool   `help:"Also those that were sent again already."`
	Output   string `short:"o" enum:"text,json" default:"text" help:"Form of the answer: text or json."`
}

// letterList is the answer in JSON.
type letterList struct {
	Topic   string           `json:"topic"`
	Letters []letters.Letter `json:"letters"`
	// Waiting is how many wait in all, by reason; Redriven how many were sent again. Filters change neither.
	Waiting  map[string]int `json:"waiting"`
	Redriven int            `json:"redriven"`
	// Foreign is how many records of the topic are not cjrelay's.
	Foreign int `json:"foreign"`
}

// Run prints the letters.
func (c *dlqListCmd) Run(ctx context.Context, stdio *stdio) error {
	selection, err := c.selection()
	if err != nil {
		return err
	}
	selection.Redriven = c.Redriven
	d, err := openDesk(ctx, c.configFlag, stdio)
	if err != nil {
		return err
	}
	defer d.close()
	list := letterList{Topic: d.config.DeadLetter.Topic, Letters: d.box.Choose(selection), Waiting: map[string]int{}, Foreign: d.box.Foreign}
	for _, l := range d.box.Letters {
		if l.Redriven != nil {
			list.Redriven++
		} else {
			list.Waiting[l.Reason]++
		}
	}
	if c.Output == "json" {
		if list.Letters == nil {
			list.Letters = []letters.Letter{}
		}
		return json.NewEncoder(stdio.Out).Encode(list)
	}
	return writeLetters(stdio.Out, list)
}

func writeLetters(out io.Writer, list letterList) error {
	var text strings.Builder
	if len(list.Letters) > 0 {
		table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "LETTER\tWRITTEN\tREASON\tORDER ID\tORDER\tREDRIVES\tERROR")
		for _, l := range list.Letters {
			fmt.Fprintf(table, "%d/%d\t%s\t%s\t%s\t%d/%d\t%d\t%s\n", l.Place.Partition, l.Place.Offset, shownTime(l.At), l.Reason,
				dash(shownName(l.OrderID)), l.Order.Partition, l.Order.Offset, l.Redrives, cutLine(state(l)))
		}
		_ = table.Flush()
		text.WriteString("\n")
	}
	total := 0
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(list.Waiting)) {
		total += list.Waiting[reason]
		parts = append(parts, fmt.Sprintf("%d %s", list.Waiting[reason], reason))
	}
	fmt.Fprintf(&text, "waiting in %s: %d", list.Topic, total)
	if len(parts) > 0 {
		fmt.Fprintf(&text, " (%s)", strings.Join(parts, ", "))
	}
	if list.Redriven > 0 {
		fmt.Fprintf(&text, "; sent again: %d", list.Redriven)
	}
	if list.Foreign > 0 {
		fmt.Fprintf(&text, "; not cjrelay's: %d", list.Foreign)
	}
	text.WriteString("\n")
	_, err := io.WriteString(out, text.String())
	return err
}

// state is what there is to say of a letter in a line: why it is here, or that it no longer waits.
func state(l letters.Letter) string {
	if l.Redriven != nil {
		return fmt.Sprintf("sent again %s as %d/%d", shownTime(l.Redriven.At), l.Redriven.To.Partition, l.Redriven.To.Offset)
	}
	return l.Error
}

// shownName is an order's id as a terminal and a person may see it.
func shownName(id string) string {
	if id == "" {
		return ""
	}
	return strings.Trim(schema.Quoted(id), `"`)
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// cutLine is the beginning of a text that is to stand in one line of a table.
func cutLine(text string) string {
	const longest = 100
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}
