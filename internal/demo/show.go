package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// show lets people see the story while it is told. When ctx ends, it gives the terminal back at once: a second
// signal may end the process before the story does.
func (s *story) show(ctx context.Context, out io.Writer, tell func() (*Ledger, error)) (*Ledger, error) {
	var end func()
	if drawable(out) {
		end = sync.OnceFunc(showLive(out, s.snapshot).end)
	} else {
		end = sync.OnceFunc(showLines(out, s.snapshot).end)
	}
	defer end()
	stop := context.AfterFunc(ctx, func() {
		end()
		fmt.Fprintln(out, "stopping: what is under way ends first")
	})
	defer stop()
	ledger, err := tell()
	if err == nil {
		s.enter(told)
	}
	return ledger, err
}

// drawable tells whether out is a terminal that can move its cursor.
func drawable(out io.Writer) bool {
	file, ok := out.(*os.File)
	return ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
}
