package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress tells people how far a verb is: with a bar that is drawn over itself on a terminal, with a line now and
// then elsewhere. It is safe for concurrent use.
type progress struct {
	out      io.Writer
	terminal bool
	// columns is how wide the terminal is now, 0 while not known.
	columns func() int

	mu    sync.Mutex
	drawn bool
	last  time.Time
}

const (
	// drawEvery and lineEvery are how often at most a bar is drawn and a line is written.
	drawEvery = 100 * time.Millisecond
	lineEvery = 10 * time.Second
)

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, last: time.Now(), columns: func() int { return columnsOf(out) }}
	if file, ok := out.(*os.File); ok {
		p.terminal = term.IsTerminal(int(file.Fd())) && os.Getenv("TERM") != "dumb"
	}
	return p
}

// show tells that so many of a total are done of what is being done, with a remark.
func (p *progress) show(what string, done, total int64, remark string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	every := lineEvery
	if p.terminal {
		every = drawEvery
	}
	if time.Since(p.last) < every {
		return
	}
	p.last = time.Now()
	text := fmt.Sprintf("%s: %d of %d", what, done, total)
	if remark != "" {
		text += ", " + remark
	}
	if !p.terminal {
		fmt.Fprintln(p.out, text)
		return
	}
	p.drawn = true
	line := bar(done, total) + " " + text
	if columns := p.columns(); columns > 0 {
		line = cut(line, columns-1)
	}
	fmt.Fprint(p.out, "\r\x1b[K"+line)
}

// Write writes lines of a log where the bar is, which is drawn again below them.
func (p *progress) Write(lines []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
	return p.out.Write(lines)
}

// clear removes the bar, before anything else is written.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wipe()
}

func (p *progress) wipe() {
	if p.drawn {
		p.drawn = false
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func bar(done, total int64) string {
	const width = 24
	full := 0
	if total > 0 {
		full = int(min(done, total) * width / total)
	}
	return "[" + strings.Repeat("=", full) + strings.Repeat(" ", width-full) + "]"
}
