package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progressLine is one line on a terminal that tells how far reading the click topic is.
type progressLine struct {
	// out is nil where nobody watches.
	out   io.Writer
	began time.Time
	shown bool
}

// progressAfter is how long a look may take before it needs to say that it is still there.
const progressAfter = time.Second

func newProgressLine(out io.Writer) *progressLine {
	line := &progressLine{began: time.Now()}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb" {
		line.out = out
	}
	return line
}

// show writes how many records are left in place of what it wrote before.
func (l *progressLine) show(left int64) {
	if l.out == nil || time.Since(l.began) < progressAfter {
		return
	}
	l.shown = true
	fmt.Fprintf(l.out, "\r\x1b[Kreading the click topic: %d records to go", left)
}

// clear removes the line, before anything else is written.
func (l *progressLine) clear() {
	if l.shown {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}
