package main

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgressWritesALineNowAndThenWhereNobodyWatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out)
		for done := range int64(25) {
			p.show("replaying", done, 100, "")
			time.Sleep(time.Second)
		}
		p.clear()
		require.Equal(t, "replaying: 10 of 100\nreplaying: 20 of 100\n", out.String())
	})
}

func TestProgressDrawsABarOverItself(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out)
		p.terminal = true
		for done := range int64(3) {
			p.show("replaying", done*50, 100, "7 acknowledged")
			time.Sleep(drawEvery)
		}
		p.clear()
		p.clear()
		require.Equal(t, "\r\x1b[K[============            ] replaying: 50 of 100, 7 acknowledged"+
			"\r\x1b[K[========================] replaying: 100 of 100, 7 acknowledged\r\x1b[K", out.String())
	})
	require.Equal(t, "[                        ]", bar(0, 0))
}

// A bar that is longer than a line cannot be drawn over: each time would leave one more behind.
func TestProgressKeepsToOneLine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out)
		p.terminal, p.columns = true, func() int { return 60 }
		time.Sleep(drawEvery)
		p.show("replaying", 50, 100, "7 acknowledged; the circuit is open: CJ does not answer as it should")
		require.Equal(t, "\r\x1b[K[============            ] replaying: 50 of 100, 7 acknowl…", out.String())
		require.Len(t, []rune(out.String()[len("\r\x1b[K"):]), 59)
	})
}

func TestProgressAndTheLogTakeTurns(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&out)
	p.terminal, p.last = true, time.Time{}
	var both sync.WaitGroup
	both.Go(func() { p.show("replaying", 1, 2, "") })
	both.Go(func() { fmt.Fprintln(p, "breaker opened") })
	both.Wait()
	require.Contains(t, []string{
		"\r\x1b[K[============            ] replaying: 1 of 2\r\x1b[Kbreaker opened\n",
		"breaker opened\n\r\x1b[K[============            ] replaying: 1 of 2",
	}, out.String())
}

func TestProgressMakesRoomForTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := newProgress(&out)
		p.terminal = true
		fmt.Fprintln(p, "first")
		time.Sleep(drawEvery)
		p.show("replaying", 50, 100, "")
		fmt.Fprintln(p, "breaker opened")
		require.Equal(t, "first\n\r\x1b[K[============            ] replaying: 50 of 100\r\x1b[Kbreaker opened\n", out.String())
	})
}
