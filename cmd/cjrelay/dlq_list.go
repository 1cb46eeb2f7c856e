package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

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
	return writeLetters(stdio.Out, list, columnsOf(stdio.Out))
}

// columnsOf is how wide a terminal is, 0 where there is none.
func columnsOf(out io.Writer) int {
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			return width
		}
	}
	return 0
}

// leastError is how many columns of a terminal the errors need to stand in the table. With fewer each is a line of its own.
const leastError = 40

// writeLetters prints the list. columns is what a terminal has, 0 for as many as it takes.
func writeLetters(out io.Writer, list letterList, columns int) error {
	var text strings.Builder
	if len(list.Letters) > 0 {
		var table strings.Builder
		rows := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
		fmt.Fprintln(rows, "LETTER\tWRITTEN\tREASON\tORDER ID\tORDER\tREDRIVES\t")
		for _, l := range list.Letters {
			fmt.Fprintf(rows, "%d/%d\t%s\t%s\t%s\t%d/%d\t%d\t\n", l.Place.Partition, l.Place.Offset, shownTime(l.At), l.Reason,
				dash(listedName(l.OrderID, columns)), l.Order.Partition, l.Order.Offset, l.Redrives)
		}
		_ = rows.Flush()
		for i, row := range strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n") {
			last := "ERROR"
			if i > 0 {
				last = state(list.Letters[i-1])
			}
			switch room := columns - len([]rune(row)); {
			case columns == 0:
				text.WriteString(row + cutLine(last, longestLine) + "\n")
			case room >= leastError:
				text.WriteString(row + cutLine(last, room) + "\n")
			case i == 0:
				text.WriteString(strings.TrimRight(row, " ") + "\n")
			default:
				text.WriteString(strings.TrimRight(row, " ") + "\n  " + cutLine(last, columns-2) + "\n")
			}
		}
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

// listedName is what a list shows of an order's id: on a terminal no more of one that is hidden than that it is.
func listedName(id string, columns int) string {
	name := shownName(id)
	if hidden, _, found := strings.Cut(name, ","); found && columns > 0 && strings.HasPrefix(name, "(") {
		return hidden + ")"
	}
	return name
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

// longestLine is how much of an error is shown in one line where nothing else bounds it.
const longestLine = 100

// cutLine is the beginning of a text that is to stand in one line, at most so many characters.
func cutLine(text string, most int) string {
	return cut(strings.Join(strings.Fields(text), " "), most)
}

// cut is the beginning of a text, at most so many characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:max(most-1, 0)]) + "…"
	}
	return text
}
