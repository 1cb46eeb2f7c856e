package main

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		1:                          "1ns",
		time.Millisecond:           "1ms",
		1500 * time.Millisecond:    "1.5s",
		10 * time.Second:           "10s",
		time.Minute:                "1m",
		10 * time.Minute:           "10m",
		time.Hour:                  "1h",
		10*time.Hour + 1:           "10h",
		time.Hour + time.Second:    "1h0m1s",
		day:                        "1d",
		395*day + time.Millisecond: "395d1ms",
		30*day + 20*time.Minute:    "30d20m",
	} {
		require.Equal(t, want, span(d))
	}
}

func TestRelation(t *testing.T) {
	t.Parallel()
	require.Equal(t, "1h before", relation(noon.Add(-time.Hour), noon))
	require.Equal(t, "1h later", relation(noon.Add(time.Hour), noon))
	require.Equal(t, "at the same moment", relation(noon, noon))
}

func TestInterruptedClicksGetFails(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	for _, from := range []string{"auto", "table", "topic"} {
		var out, err bytes.Buffer
		code := execute(ctx, atNoon(s.configuration(t, "listen: '"+nowhere(t)+"'"), "--from", from, "s-1"), &stdio{Out: &out, Err: &err})
		require.Equal(t, exitFailed, code)
		require.Equal(t, "cjrelay: interrupted\n", err.String())
		require.Empty(t, out.String())
	}
}
