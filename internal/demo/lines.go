package demo

import (
	"fmt"
	"io"
	"time"
)

// lines shows the story as plain lines: one when something happens, and one now and then.
type lines struct {
	out  io.Writer
	ask  func() snapshot
	stop chan struct{}
	done chan struct{}
}

const (
	// lookEvery is how often the story is looked at.
	lookEvery = 100 * time.Millisecond
	// lineEvery is how often a line is printed when nothing happens.
	lineEvery = 2 * time.Second
)

func showLines(out io.Writer, ask func() snapshot) *lines {
	l := &lines{out: out, ask: ask, stop: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

func (l *lines) run() {
	defer close(l.done)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	last, printed := l.ask(), time.Now()
	l.print(last)
	for {
		select {
		case <-ticker.C:
		case <-l.stop:
			return
		}
		if s := l.ask(); s.phase != last.phase || time.Since(printed) >= lineEvery {
			l.print(s)
			last, printed = s, time.Now()
		}
	}
}

func (l *lines) print(s snapshot) {
	fmt.Fprintf(l.out, "%s  orders %d/%d  acknowledged %d  unattributed %d  dead letters %d  waiting %d  breaker %s  | %s\n",
		clock(s.elapsed), s.produced, s.orders, s.acknowledged, s.unattributed, s.deadLetter, s.waiting, s.breaker, s.headline())
}

func (l *lines) end() {
	close(l.stop)
	<-l.done
	l.print(l.ask())
}
