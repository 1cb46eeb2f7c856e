//go:build browser

package console

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

// longest is how long the page may take to show something. Nothing waits so long unless it is broken.
const longest = 30 * time.Second

// stage is a relay that stands as a test says, with its page open in a browser.
type stage struct {
	ctx  context.Context
	home string
	// stop ends the process that the page is of.
	stop func()

	mu    sync.Mutex
	state State
	ready []Check
	asked []string
}

func (s *stage) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

func (s *stage) Orders(Asked, int) []Order { return nil }

// set changes how the relay stands.
func (s *stage) set(change func(*stage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// quiet is a relay with nothing to do.
func quiet() State {
	return State{Topic: "order.confirmed", Group: "cjrelay", Paused: []string{}, Breaker: []Turn{{At: time.Now(), State: "closed"}}, Rules: []Rule{}, Partitions: []Partition{}}
}

// serve begins the process, and returns where it listens.
func (s *stage) serve(t *testing.T, listen string) string {
	t.Helper()
	act := func(name string) Action {
		return func(context.Context, func(string) string) (any, error) {
			s.set(func(s *stage) { s.asked = append(s.asked, name) })
			return struct{}{}, nil
		}
	}
	server, err := Listen(Config{
		Listen: listen, Token: token, Metrics: prometheus.NewRegistry(), Version: "1.2.3", Relay: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Ready: func() []Check {
			s.mu.Lock()
			defer s.mu.Unlock()
			return append([]Check{{"group", nil}}, s.ready...)
		},
		Actions: map[string]Action{"held/cj/release": act("release"), "held/cj/stop": act("stop"), "sending/hold": act("hold"), "sending/resume": act("resume")},
	})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	s.stop = sync.OnceFunc(func() {
		stop()
		require.NoError(t, <-served)
	})
	t.Cleanup(s.stop)
	return server.Addr()
}

// open starts the port and looks at it. remote makes it ask for the token as a port does that is not on loopback.
func open(t *testing.T, remote bool) *stage {
	t.Helper()
	s := &stage{state: quiet()}
	listen := "127.0.0.1:0"
	if remote {
		listen = "0.0.0.0:0"
	}
	_, port, err := net.SplitHostPort(s.serve(t, listen))
	require.NoError(t, err)
	s.home = "http://127.0.0.1:" + port + "/"
	// Chromium's children write for a moment after it has ended, so its profile is no t.TempDir.
	profile, err := os.MkdirTemp("", "chromium")
	require.NoError(t, err)
	t.Cleanup(func() {
		require.Eventually(t, func() bool { return os.RemoveAll(profile) == nil }, longest, 50*time.Millisecond)
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		// In containers, where tests run as root, Chromium's own sandbox does not start.
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(profile), chromedp.Env("TMPDIR="+profile))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	s.ctx, cancel = chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(s.ctx), "start Chromium: Debian's package is chromium")
	s.do(t, chromedp.Navigate(s.home))
	s.holds(t, `(window.confirm = () => true)()`)
	return s
}

func (s *stage) do(t *testing.T, action chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, longest)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, action))
}

// awaits waits until an expression is true on the page.
func (s *stage) awaits(t *testing.T, expression string) {
	t.Helper()
	require.Eventually(t, func() bool {
		met, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && met
	}, longest, longest/1000, "it never holds on the page: %s", expression)
}

// holds requires that an expression is true on the page now.
func (s *stage) holds(t *testing.T, expression string) {
	t.Helper()
	met, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](expression))
	require.NoError(t, err)
	require.True(t, met, "on the page: %s", expression)
}

func held(orders int, stopped bool) func(*stage) {
	return func(s *stage) {
		s.state.Rules = []Rule{{Stage: "cj", Held: orders, Rejected: 20, Latest: 20, Holding: true, Stopped: stopped, Why: "CJ answered 400 Bad Request"}}
	}
}

const troubles = `document.getElementById("troubles").innerText`

// While orders come in, what is held changes with every look.
func TestPageKeepsAButtonWhileTheNumbersBesideItChange(t *testing.T) {
	s := open(t, false)
	s.set(held(1, false))
	s.awaits(t, troubles+`.includes("1 order is held at cj")`)
	s.holds(t, `(document.querySelector("[data-action='/actions/held/cj/stop']").focus(), true)`)
	s.set(held(1200, false))
	s.awaits(t, troubles+`.includes("1,200 orders are held at cj")`)
	s.holds(t, `document.activeElement.dataset.action === "/actions/held/cj/stop"`)

	s.do(t, chromedp.Click(chromedp.CSS(`[data-action="/actions/held/cj/stop"]`)))
	s.do(t, chromedp.SendKeys(chromedp.ID("token"), "not-the-token"))
	s.do(t, chromedp.Click(chromedp.ID("login-ok")))
	s.awaits(t, troubles+`.includes("That is not the token")`)
	s.set(held(1300, false))
	s.awaits(t, troubles+`.includes("1,300 orders")`)
	s.holds(t, troubles+`.includes("That is not the token")`)

	s.do(t, chromedp.Click(chromedp.CSS(`[data-action="/actions/held/cj/stop"]`)))
	s.do(t, chromedp.SendKeys(chromedp.ID("token"), token))
	s.do(t, chromedp.Click(chromedp.ID("login-ok")))
	s.awaits(t, troubles+`.includes("Done.")`)
	s.set(held(1300, true))
	s.awaits(t, `document.querySelector("[data-action='/actions/held/cj/stop']").hidden`)
	s.holds(t, troubles+`.includes("An operator has stopped the tries.")`)
	s.set(func(s *stage) { s.state.Rules = []Rule{} })
	s.awaits(t, `document.getElementById("troubles").hidden`)
	s.set(func(s *stage) { require.Equal(t, []string{"stop"}, s.asked) })
}

func TestPageSaysThatWhatItShowsIsOld(t *testing.T) {
	s := open(t, false)
	s.awaits(t, `document.title === "ready · cjrelay"`)
	s.stop()
	s.awaits(t, `document.title === "no connection · cjrelay"`)
	s.holds(t, `document.getElementById("lost").innerText.includes("how it stood at")`)
	s.holds(t, `document.getElementById("circuit").hidden`)
	s.serve(t, strings.TrimSuffix(strings.TrimPrefix(s.home, "http://"), "/"))
	s.awaits(t, `document.title === "ready · cjrelay" && document.getElementById("lost").hidden`)
	s.holds(t, `!document.getElementById("circuit").hidden`)
}

func TestPageShowsPartitionsThatComeLater(t *testing.T) {
	s := open(t, false)
	s.awaits(t, `document.getElementById("partitions").innerText.includes("no partitions now")`)
	s.set(func(s *stage) {
		s.state.Partitions = []Partition{{Partition: 3, Committed: 0, Next: 0, End: 0, Done: [][2]int64{}, Pending: []Pending{}, Counts: map[string]int{}, Paused: []string{}}}
	})
	s.awaits(t, `document.querySelectorAll("#partitions .ribbon").length === 1`)
	s.holds(t, `!document.getElementById("partitions").innerText.includes("no partitions now")`)
	// A partition that never held an order is not one that is all done.
	s.holds(t, `document.getElementById("partitions").innerText.includes("nothing yet") && !document.querySelector("#partitions .is-committed")`)
}

// The process lists the lowest orders only.
func TestPageShowsOrdersThatAreNotListedToo(t *testing.T) {
	s := open(t, false)
	s.set(func(s *stage) {
		s.state.Partitions = []Partition{{
			Committed: 100, Next: 1100, End: 1100, Done: [][2]int64{{103, 104}}, Counts: map[string]int{"held": 998, "sending": 1}, Paused: []string{},
			Pending: []Pending{{100, "held"}, {101, "held"}, {102, "sending"}, {104, "held"}},
		}}
	})
	s.awaits(t, `document.querySelectorAll("#partitions .is-held").length === 3`)
	s.holds(t, `[...document.querySelectorAll("#partitions .is-held")].some(r => +r.getAttribute("x") + +r.getAttribute("width") === 1000)`)
	s.holds(t, `document.querySelector("#partitions .is-held title").textContent === "offsets 100 to 101: held by the mass rule"`)
	s.holds(t, `document.querySelectorAll("#partitions .is-sending, #partitions .is-done").length === 2`)
}

func TestPageSaysThatATokenIsWrongAndAsksAgain(t *testing.T) {
	s := open(t, true)
	s.awaits(t, `document.getElementById("login").open`)
	s.do(t, chromedp.SendKeys(chromedp.ID("token"), "not-the-token"))
	s.do(t, chromedp.Click(chromedp.ID("login-ok")))
	s.awaits(t, `document.getElementById("login").open && document.getElementById("login-why").innerText.includes("not the token")`)
	s.do(t, chromedp.Click(chromedp.ID("login-cancel")))
	s.awaits(t, `!document.getElementById("login").open`)
	s.do(t, chromedp.Click(chromedp.ID("gate-open")))
	s.do(t, chromedp.SendKeys(chromedp.ID("token"), token))
	s.do(t, chromedp.Click(chromedp.ID("login-ok")))
	s.awaits(t, `document.title === "ready · cjrelay" && document.getElementById("gate").hidden`)
}

// One of the two makes sense at a time.
func TestPageOffersToHoldOrToResume(t *testing.T) {
	s := open(t, false)
	s.awaits(t, `!document.getElementById("sending-hold").hidden && document.getElementById("sending-resume").hidden`)
	s.holds(t, `(document.getElementById("sending-hold").focus(), true)`)
	s.do(t, chromedp.KeyEvent("\r"))
	s.do(t, chromedp.SendKeys(chromedp.ID("token"), token+"\r"))
	s.awaits(t, `document.querySelector("#sending-actions .result").textContent === "Done."`)
	s.set(func(s *stage) { s.ready = []Check{{"sending", errors.New("an operator holds sending")}} })
	s.awaits(t, `document.getElementById("sending-hold").hidden && !document.getElementById("sending-resume").hidden`)
	s.holds(t, `document.activeElement.id === "sending-resume"`)
}
