package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"

	"github.com/cjrelay/cjrelay/schema"
)

// writeJSON writes the ledger as one object on one line.
func (l *Ledger) writeJSON(out io.Writer) error { return json.NewEncoder(out).Encode(l) }

// writeText writes the ledger for people.
func (l *Ledger) writeText(out io.Writer) error {
	var text strings.Builder
	entry := func(name string, n int, beside string) {
		line := fmt.Sprintf("  %-20s%10s   ", name, grouped(n))
		text.WriteString(strings.TrimRight(line+faint.Render(beside), " ") + "\n")
	}
	text.WriteString("\n" + strong.Render("  Ledger") + faint.Render(fmt.Sprintf("  seed %d, %.1f s", l.Seed, l.Seconds)) + "\n\n")
	entry("orders", l.Orders, "")
	entry("with a click", l.WithClick, "CJ should acknowledge these")
	entry("acknowledged by CJ", l.Acknowledged, l.because(schema.Acknowledged))
	entry("unattributed", l.Unattributed, l.because(schema.Unattributed))
	entry("dead letters", l.DeadLetter, l.because(schema.DeadLetter))
	text.WriteString("\n")
	entry("lost", l.Lost, "")
	entry("wrong", l.Wrong, "")
	entry("duplicates", l.Duplicates, "")
	text.WriteString("\n")
	if l.Clean() {
		text.WriteString(green.Bold(true).Render("  ✓ Nothing lost, nothing wrong.") + "\n")
	} else {
		text.WriteString(red.Bold(true).Render(fmt.Sprintf("  ✕ %s lost, %s wrong.", grouped(l.Lost), grouped(l.Wrong))) + "\n")
		for _, finding := range l.findings {
			text.WriteString("    " + finding + "\n")
		}
	}
	_, err := lipgloss.Fprint(out, text.String())
	return err
}

// because lists the reasons of one kind of outcome, the most frequent one first.
func (l *Ledger) because(kind schema.Kind) string {
	counts := l.reasons[kind]
	reasons := slices.SortedFunc(maps.Keys(counts), func(a, b schema.Reason) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(string(a), string(b))
	})
	words := make([]string, len(reasons))
	for i, reason := range reasons {
		words[i] = fmt.Sprintf("%s %s", reason, grouped(counts[reason]))
	}
	return strings.Join(words, ", ")
}
