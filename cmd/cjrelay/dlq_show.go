package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

// dlqShowCmd is `cjrelay dlq show`.
type dlqShowCmd struct {
	configFlag
	Letter []string `arg:"" help:"Letters: by their place, as partition/offset or topic/partition/offset, or by their order's id."`
	Output string   `short:"o" enum:"text,json" default:"text" help:"Form of the answer: text or json, one object a line."`
}

// shownLetter is one letter in full, as far as people may see it.
type shownLetter struct {
	letters.Letter
	// Value is the order without what is private, or what can be said of it.
	Value string `json:"value"`
	// Headers are the names of the order's own headers, and KeyBytes the length of its key.
	Headers  []string `json:"headers"`
	KeyBytes int      `json:"key_bytes"`
}

// Run prints the letters that the names mean.
func (c *dlqShowCmd) Run(ctx context.Context, stdio *stdio) error {
	d, err := openDesk(ctx, c.configFlag, stdio)
	if err != nil {
		return err
	}
	defer d.close()
	chosen, err := d.choose(letters.Selection{Named: c.Letter, Redriven: true})
	if err != nil {
		return err
	}
	return d.box.Fetch(ctx, chosen, func(l letters.Letter, record *kgo.Record) error {
		shown := shownLetter{Letter: l, KeyBytes: len(record.Key), Headers: []string{}}
		for _, h := range letters.OwnHeaders(record.Headers) {
			shown.Headers = append(shown.Headers, h.Key)
		}
		if l.HasValue() {
			shown.Value = letters.Shown(ctx, d.decode, d.config.Orders.Format, record.Value)
		}
		if c.Output == "json" {
			return json.NewEncoder(stdio.Out).Encode(shown)
		}
		return writeLetter(stdio.Out, shown)
	})
}

func writeLetter(out io.Writer, l shownLetter) error {
	var text strings.Builder
	line := func(name, format string, arguments ...any) {
		fmt.Fprintf(&text, "%-12s  %s\n", name, fmt.Sprintf(format, arguments...))
	}
	line("letter", "%s", l.Place)
	line("written", "%s by cjrelay %s", shownTime(l.At), l.Version)
	line("reason", "%s", l.Reason)
	line("error", "%s", dash(l.Error))
	line("order", "%s", l.Order)
	line("order id", "%s", dash(shownName(l.OrderID)))
	line("attempts", "%d, last status %d", l.Attempts, l.Status)
	if l.Redrives > 0 {
		line("sent again", "%d times before, last from the letter %s; first read at %s", l.Redrives, l.From, l.Origin)
	}
	if l.Mended != "" {
		line("mended", "from the value with SHA-256 %s", l.Mended)
	}
	if l.Redriven != nil {
		line("now", "sent again %s as %s", shownTime(l.Redriven.At), l.Redriven.To)
	} else {
		line("now", "waits")
	}
	line("key", "(%d bytes)", l.KeyBytes)
	for _, name := range l.Headers {
		line("header", "%s", schema.Quoted(name))
	}
	if l.HasValue() {
		line("value", "%d bytes", l.Bytes)
		fmt.Fprintf(&text, "%s\n\n", l.Value)
	} else {
		line("value", "not here: its %d bytes, with SHA-256 %s, did not fit into the dead-letter topic", l.Bytes, l.SHA256)
		text.WriteString("\n")
	}
	_, err := io.WriteString(out, text.String())
	return err
}
