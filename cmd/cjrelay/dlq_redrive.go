package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/version"
	"github.com/cjrelay/cjrelay/schema"
)

// dlqRedriveCmd is `cjrelay dlq redrive`.
type dlqRedriveCmd struct {
	configFlag
	dlqChoice
	Letter  []string `arg:"" optional:"" help:"Letters, named as for show."`
	All     bool     `help:"All letters that wait."`
	Mended  string   `help:"A folder that export has written: the orders whose files were changed since, as they are now." placeholder:"DIR"`
	Force   bool     `help:"Also orders that came back three times or more."`
	Execute bool     `help:"Send. Without it nothing is."`
	Output  string   `short:"o" enum:"text,json" default:"text" help:"Form of the answer: text or json."`
}

// redriveReport is the answer in JSON.
type redriveReport struct {
	Executed bool `json:"executed"`
	// Redriven are the letters that were sent again, or that would be.
	Redriven []letters.Letter `json:"redriven"`
	// Refused are those that are not.
	Refused []letters.Refused `json:"refused"`
}

var errRefused = errors.New("some letters were not sent again")

// Run sends the letters again, or tells which it would.
func (c *dlqRedriveCmd) Run(ctx context.Context, stdio *stdio) error {
	selection, err := c.selection()
	if err != nil {
		return err
	}
	selection.Named = c.Letter
	if !c.All && c.Mended == "" && len(c.Letter) == 0 && len(c.Reason) == 0 && c.Since == "" && c.Until == "" && c.Limit == 0 {
		return &usageError{"which letters? name them, say --reason, --since, --until, --limit or --mended DIR, or --all for every one that waits"}
	}
	d, err := openDesk(ctx, c.configFlag, stdio)
	if err != nil {
		return err
	}
	defer d.close()
	var mended map[letters.Place]letters.Mended
	if c.Mended != "" {
		if mended, err = letters.ReadMended(c.Mended, d.config.DeadLetter.Topic); err != nil {
			return &usageError{"--mended: " + err.Error()}
		}
	}
	// A letter that is named and was sent again is refused by name; one that only a filter means is passed over.
	selection.Redriven = c.Limit == 0 && (len(c.Letter) > 0 || c.Mended != "")
	if c.Mended != "" {
		selection.Limit = 0 // it counts those that were mended
	}
	chosen, err := d.choose(selection)
	if err != nil {
		return err
	}
	if c.Mended != "" {
		chosen = slices.DeleteFunc(chosen, func(l letters.Letter) bool { _, is := mended[l.Place]; return !is })
		if c.Limit > 0 {
			chosen = chosen[:min(len(chosen), c.Limit)]
		}
	}
	report := redriveReport{Executed: c.Execute}
	report.Redriven, report.Refused = letters.Sort(chosen, d.config.Orders.Topic, c.Force)
	if err := d.judgeMended(ctx, &report, mended); err != nil {
		return err
	}
	if c.Execute && len(report.Redriven) > 0 {
		err = c.execute(ctx, d, stdio, &report, mended)
	}
	if printed := c.print(stdio, report); printed != nil {
		return printed
	}
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted: what is left is sent by running this again")
	case err != nil:
		return err
	case c.Execute && len(report.Refused) > 0:
		return errRefused
	}
	return nil
}

// judgeMended refuses what a person has mended and is no order all the same: it would only come back.
func (d *desk) judgeMended(ctx context.Context, report *redriveReport, mended map[letters.Place]letters.Mended) error {
	var may []letters.Letter
	for _, l := range report.Redriven {
		one, is := mended[l.Place]
		if !is {
			may = append(may, l)
			continue
		}
		_, err := d.decode(ctx, one.Value)
		var invalid *schema.InvalidError
		switch {
		case err == nil:
			may = append(may, l)
		case errors.As(err, &invalid):
			report.Refused = append(report.Refused, letters.Refused{Letter: l, Why: "is no valid order as it was mended: " + err.Error()})
		default:
			return err
		}
	}
	report.Redriven = may
	return nil
}

func (c *dlqRedriveCmd) execute(ctx context.Context, d *desk, stdio *stdio, report *redriveReport, mended map[letters.Place]letters.Mended) error {
	home, err := relay.Home(ctx, d.client, d.config, d.decode)
	if err != nil {
		return err
	}
	progress := newProgress(stdio.Err)
	defer progress.clear()
	total := int64(len(report.Redriven))
	redriver := letters.Redriver{
		Client: kafkaOnce(d.config), DeadLetters: d.config.DeadLetter.Topic, Orders: d.config.Orders.Topic, Version: version.String(),
		Force: c.Force, Home: home, Mended: mended,
		Progress: func(done int) { progress.show("sending orders again", int64(done), total, "") },
	}
	gone, refused, err := redriver.Run(ctx, report.Redriven)
	report.Redriven, report.Refused = gone, append(report.Refused, refused...)
	return err
}

func (c *dlqRedriveCmd) print(stdio *stdio, report redriveReport) error {
	if c.Output == "json" {
		if report.Redriven == nil {
			report.Redriven = []letters.Letter{}
		}
		if report.Refused == nil {
			report.Refused = []letters.Refused{}
		}
		return json.NewEncoder(stdio.Out).Encode(report)
	}
	var text strings.Builder
	verb := "to be sent again"
	if report.Executed {
		verb = "sent again"
	}
	fmt.Fprintf(&text, "orders %s: %d%s\n", verb, len(report.Redriven), byReason(report.Redriven))
	if len(report.Refused) > 0 {
		fmt.Fprintf(&text, "not sent: %d\n", len(report.Refused))
		for _, one := range report.Refused {
			fmt.Fprintf(&text, "  %s %s\n", one.Letter, one.Why)
		}
	}
	if !report.Executed && len(report.Redriven) > 0 {
		text.WriteString("nothing was sent: say --execute to send them\n")
	}
	_, err := io.WriteString(stdio.Out, text.String())
	return err
}

// byReason is how many letters there are of each reason, in brackets.
func byReason(all []letters.Letter) string {
	if len(all) == 0 {
		return ""
	}
	counts := map[string]int{}
	for _, l := range all {
		counts[l.Reason]++
	}
	var parts []string
	for _, reason := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d %s", counts[reason], reason))
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
