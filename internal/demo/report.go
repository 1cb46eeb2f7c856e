package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"

	"github.com/cjrelay/cjrelay/schema"
)

// writeJSON writes the ledger as one object on one line.
func (l *Ledger) writeJSON(out io.Writer) error { return json.NewEncoder(out).Encode(l) }

// writeText writes the ledger for people, and what to try next.
func (l *Ledger) writeText(out io.Writer, next ...string) error {
	var text strings.Builder
	room := beside(out)
	entry := func(name string, n int, words ...string) {
		line := fmt.Sprintf("  %-20s%10s", name, grouped(n))
		for _, part := range wrapped(words, room) {
			text.WriteString(strings.TrimRight(line+"   "+faint.Render(part), " ") + "\n")
			line = strings.Repeat(" ", 32)
		}
	}
	text.WriteString("\n" + strong.Render("  Ledger") + faint.Render(fmt.Sprintf("  seed %d, %.1f s", l.Seed, l.Seconds)) + "\n\n")
	entry("orders", l.Orders)
	entry("with a click", l.WithClick, "should be acknowledged")
	entry("acknowledged by CJ", l.Acknowledged, l.because(schema.Acknowledged)...)
	entry("unattributed", l.Unattributed, l.because(schema.Unattributed)...)
	entry("dead letters", l.DeadLetter, l.because(schema.DeadLetter)...)
	text.WriteString("\n")
	entry("lost", l.Lost)
	entry("wrong", l.Wrong)
	entry("duplicates", l.Duplicates)
	text.WriteString("\n")
	if l.Clean() {
		text.WriteString(green.Bold(true).Render("  ✓ Nothing lost, nothing wrong.") + "\n")
	} else {
		text.WriteString(red.Bold(true).Render(fmt.Sprintf("  ✕ %s lost, %s wrong.", grouped(l.Lost), grouped(l.Wrong))) + "\n")
		for _, finding := range l.findings {
			text.WriteString("    " + finding + "\n")
		}
	}
	for i, line := range next {
		text.WriteString([]string{"\n  Next  ", "        "}[min(i, 1)] + line + "\n")
	}
	_, err := lipgloss.Fprint(out, text.String())
	return err
}

// beside is how much room a line has beside its numbers: what the terminal leaves, or a good width elsewhere.
func beside(out io.Writer) int {
	const numbers, good = 36, 62
	if file, ok := out.(*os.File); ok {
		if width, _, err := term.GetSize(int(file.Fd())); err == nil {
			return max(16, min(good, width-numbers))
		}
	}
	return good
}

// wrapped joins words to lines of that length. There is always one line.
func wrapped(words []string, room int) []string {
	lines := []string{""}
	for i, word := range words {
		last := &lines[len(lines)-1]
		switch {
		case i == 0:
			*last = word
		case len(*last)+len(word)+3 <= room:
			*last += ", " + word
		default:
			*last += ","
			lines = append(lines, word)
		}
	}
	return lines
}

// because lists the reasons of one kind of outcome, the most frequent one first.
func (l *Ledger) because(kind schema.Kind) []string {
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
	return words
}
