package cjtest

import (
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"context"

	"github.com/stretchr/testify/require"
)

func TestScriptMatching(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script string
		orders []string
		want   []int
	}{
		"EveryRequest":        {"status=503", []string{"A", "B"}, []int{503, 503}},
		"OneOrder":            {"order=B status=400", []string{"A", "B", "B", "C"}, []int{200, 400, 400, 200}},
		"EveryThird":          {"every=3 status=500", []string{"A", "B", "C", "D", "E", "F"}, []int{200, 200, 500, 200, 200, 500}},
		"TheNextTwo":          {"next=2 status=429", []string{"A", "B", "C"}, []int{429, 429, 200}},
		"FirstRuleWins":       {"order=A status=400; status=503; order=B status=401", []string{"A", "B"}, []int{400, 503}},
		"OKShieldsFromLater":  {"order=A ok; status=503", []string{"A", "B"}, []int{200, 503}},
		"NextOfOneOrder":      {"order=A next=1 status=500", []string{"B", "A", "A"}, []int{200, 500, 200}},
		"EverySecondTwice":    {"every=2 next=2 status=500", []string{"A", "B", "C", "D", "E", "F"}, []int{200, 500, 200, 500, 200, 200}},
		"SpentRuleGivesWay":   {"next=1 status=500; next=1 status=501; status=502", []string{"A", "B", "C"}, []int{500, 501, 502}},
		"CountsItsOwnOnly":    {"next=2 status=500; every=2 status=501", []string{"A", "B", "C", "D"}, []int{500, 500, 200, 501}},
		"NothingWithoutRules": {"", []string{"A"}, []int{200}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.script(c.script)
			var got []int
			for _, order := range c.orders {
				got = append(got, b.postback(orderQuery(order)).status)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestScriptTimes(t *testing.T) {
	t.Parallel()
	clock := &clock{time.Date(2024, 2, 1, 10, 0, 0, 0, time.UTC)}
	b := setup(t, WithClock(clock.Now))
	b.script("0s-10s status=500; 10s-20s status=501; 25s- status=502")
	start := clock.now
	for _, c := range []struct {
		after time.Duration
		want  int
	}{{0, 500}, {10*time.Second - 1, 500}, {10 * time.Second, 501}, {20 * time.Second, 200}, {25 * time.Second, 502}, {time.Hour, 502}} {
		clock.now = start.Add(c.after)
		require.Equal(t, c.want, b.postback(query()).status, c.after)
	}
	b.script("0s-10s status=500")
	require.Equal(t, 500, b.postback(query()).status, "times count from the latest script")
}

func TestScriptCanChangeAtAnyTime(t *testing.T) {
	t.Parallel()
	b := setup(t, WithScript(Rule{Status: 503}))
	require.Equal(t, 503, b.postback(query()).status)
	b.cj.Script()
	require.Equal(t, 200, b.postback(query()).status)
}

func TestLatencyIsReproducible(t *testing.T) {
	t.Parallel()
	draws := func(seed uint64, latency Latency) []time.Duration {
		script := newScript([]Rule{{Latency: latency}}, time.Time{}, seed)
		var drawn []time.Duration
		for range 2000 {
			_, wait := script.pick(time.Time{}, "")
			drawn = append(drawn, wait)
		}
		return drawn
	}
	between := func(drawn []time.Duration, low, high time.Duration) (count int) {
		for _, d := range drawn {
			if low <= d && d <= high {
				count++
			}
		}
		return count
	}
	even := Between(20*time.Millisecond, 80*time.Millisecond)
	require.Equal(t, draws(1, even), draws(1, even))
	require.NotEqual(t, draws(1, even), draws(2, even))
	require.Equal(t, 2000, between(draws(1, even), 20*time.Millisecond, 80*time.Millisecond))
	require.InDelta(t, 1000, between(draws(1, even), 20*time.Millisecond, 50*time.Millisecond), 100)

	skewed := draws(1, LogNormal(40*time.Millisecond, 2*time.Second))
	require.InDelta(t, 1000, between(skewed, 0, 40*time.Millisecond), 100)
	require.InDelta(t, 1980, between(skewed, 0, 2*time.Second), 15)
	require.Equal(t, 2000, between(skewed, 1, 20*time.Second))
	require.Equal(t, 2000, between(draws(1, Fixed(time.Second)), time.Second, time.Second))
}

// memoryListener is a listener without a network, as tests in a synctest bubble need it.
type memoryListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *memoryListener) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *memoryListener) Close() error { close(l.closed); return nil }

func (l *memoryListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *memoryListener) dial(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	l.conns <- server
	return client, nil
}

// TestInABubble: behind an in-memory listener every time of a script is exact, in no real time.
func TestInABubble(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script  string
		timeout time.Duration
		took    time.Duration
		status  int // 0: the client sees an error
		body    string
	}{
		"Latency":             {"latency=90s", time.Hour, 90 * time.Second, 200, "OK\n"},
		"LatencyBeyondClient": {"latency=90s", time.Minute, time.Minute, 0, ""},
		"Hang":                {"hang", 10 * time.Second, 10 * time.Second, 0, ""},
		"Trickle":             {"trickle=4/1s body=0123456789", time.Hour, 3 * time.Second, 200, "0123456789"},
		"TrickleBeyondClient": {"trickle=4/1s body=0123456789", 1500 * time.Millisecond, 1500 * time.Millisecond, 0, ""},
		"HeadersOnly":         {"headers", 10 * time.Second, 10 * time.Second, 0, ""},
		"ResetIsAClose":       {"latency=1s reset", time.Hour, time.Second, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				listener := &memoryListener{conns: make(chan net.Conn), closed: make(chan struct{})}
				cj := New()
				server := &http.Server{Handler: cj}
				go func() { _ = server.Serve(listener) }()
				defer server.Close()
				defer cj.Close()
				b := bundle{t: t, cj: cj, client: newClient(t, listener.dial)}
				b.script(c.script)

				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
				defer cancel()
				event := start.UTC().Format(time.RFC3339)
				got, err := b.try(ctx, http.MethodGet, "http://cj.test/u?"+query("EVENTTIME="+event), "")
				require.Equal(t, c.took, time.Since(start))
				require.Equal(t, Valid, b.only().Verdict)
				require.Equal(t, start.UTC(), b.only().At)
				if c.status == 0 {
					require.Error(t, err)
					return
				}
				require.NoError(t, err)
				require.Equal(t, c.status, got.status)
				require.Equal(t, c.body, got.body)
			})
		})
	}
}
