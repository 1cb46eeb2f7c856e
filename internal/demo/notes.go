package demo

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
)

// notes is the relay's log. Lines on the terminal would spoil the picture, so they go to a file if there is
// one, and warnings are counted.
type notes struct {
	mu sync.Mutex
	// warnings counts the messages of warnings and errors.
	warnings map[string]int
	// errors are the last error lines.
	errors []string
}

// keptErrors is how many error lines are kept.
const keptErrors = 5

func newNotes() *notes { return &notes{warnings: map[string]int{}} }

// log makes the relay's log, which also writes all of it to the file.
func (n *notes) log(file io.Writer) *slog.Logger {
	return slog.New(&noteHandler{notes: n, Handler: slog.NewTextHandler(file, nil)})
}

func (n *notes) note(record slog.Record) {
	if record.Level < slog.LevelWarn {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.warnings[record.Message]++
	if record.Level < slog.LevelError {
		return
	}
	line := record.Message
	record.Attrs(func(a slog.Attr) bool {
		line += fmt.Sprintf(" %s=%v", a.Key, a.Value)
		return true
	})
	n.errors = append(n.errors, line)
	n.errors = n.errors[max(0, len(n.errors)-keptErrors):]
}

// summary says in a few lines what was logged.
func (n *notes) summary() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.warnings) == 0 {
		return ""
	}
	all, counts := 0, []string{}
	for _, message := range slices.Sorted(maps.Keys(n.warnings)) {
		all += n.warnings[message]
		short, _, _ := strings.Cut(message, ";")
		counts = append(counts, grouped(n.warnings[message])+" "+short)
	}
	text := fmt.Sprintf("\nThe relay logged %s warnings (--log FILE keeps them): %s\n", grouped(all), strings.Join(counts, ", "))
	for _, line := range n.errors {
		text += "  " + line + "\n"
	}
	return text
}

type noteHandler struct {
	slog.Handler
	notes *notes
}

func (h *noteHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || h.Handler.Enabled(ctx, level)
}

func (h *noteHandler) Handle(ctx context.Context, record slog.Record) error {
	h.notes.note(record)
	return h.Handler.Handle(ctx, record)
}

func (h *noteHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &noteHandler{h.Handler.WithAttrs(attrs), h.notes}
}

func (h *noteHandler) WithGroup(name string) slog.Handler {
	return &noteHandler{h.Handler.WithGroup(name), h.notes}
}
