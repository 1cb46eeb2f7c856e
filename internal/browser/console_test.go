//go:build browser

package browser_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

const adminToken = "console-token-0123456789"

// office is a relay, as the program that people run, with its console open in a browser.
type office struct {
	tab
	kafka *kafkatest.Cluster
	cj    *cjtest.Server
	topic string

	mu sync.Mutex
	// wrong are the page's errors, and requests that left the port.
	wrong []string
}

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{kafka: kafkatest.Start(t)}
	var err error
	o.cj, err = cjtest.Start()
	require.NoError(t, err)
	t.Cleanup(o.cj.Close)
	folder := t.TempDir()
	o.topic = o.kafka.Topic(t, "order.confirmed", 2, nil)
	file := filepath.Join(folder, "cjrelay.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
kafka: {brokers: [%q]}
orders: {topic: %s, format: json, start: earliest}
clicks: {topic: %s, format: string, dir: %q}
dead_letter: {topic: %s}
outcomes: {topic: %s}
cj: {endpoint: %q, enterprise_id: "1234567", actions: {sale: "398210"}}
breaker: {open: 1s, consecutive_orders: 2}
delivery: {mass_wait: 100ms}
admin: {listen: "127.0.0.1:0", token: %q}
`, o.kafka.Brokers[0], o.topic, o.kafka.Topic(t, "cjevent", 1, map[string]string{"cleanup.policy": "compact"}), folder,
		o.kafka.Topic(t, "dlq", 1, nil), o.kafka.Topic(t, "outcomes", 1, nil), o.cj.Endpoint(), adminToken), 0o600))
	program := filepath.Join(folder, "cjrelay")
	built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "github.com/cjrelay/cjrelay/cmd/cjrelay").CombinedOutput()
	require.NoError(t, err, "%s", built)
	relay := exec.Command(program, "run", "--config", file)
	lines, err := relay.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, relay.Start())
	t.Cleanup(func() {
		require.NoError(t, relay.Process.Signal(syscall.SIGTERM))
		require.NoError(t, relay.Wait(), "an open page holds up the stop")
	})
	address := make(chan string, 1)
	go func() {
		for scanner := bufio.NewScanner(lines); scanner.Scan(); {
			if _, after, found := strings.Cut(scanner.Text(), "admin="); found && strings.Contains(scanner.Text(), "cjrelay runs") {
				address <- strings.TrimSpace(after)
			}
		}
	}()
	admin := <-address

	o.tab = startTab(t, "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
	require.NoError(t, chromedp.Listen(o.ctx, func(event any) { o.note(event, "http://"+admin+"/") }))
	_, err = chromedp.Call(o.ctx, log.Enable, struct{}{})
	require.NoError(t, err)
	o.visit(t, "http://"+admin+"/")
	o.awaits(t, `document.getElementById("ready").textContent === "ready"`)
	return o
}

// note keeps what must not happen: an error on the page, and a request to anybody else.
func (o *office) note(event any, home string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			o.wrong = append(o.wrong, e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		o.wrong = append(o.wrong, e.ExceptionDetails.Text)
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, home) {
			o.wrong = append(o.wrong, "request to "+e.Request.URL)
		}
	}
}

func (o *office) trouble() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.wrong)
}

// awaits waits until an expression is true on the page.
func (o *office) awaits(t *testing.T, expression string) {
	t.Helper()
	require.Eventually(t, func() bool {
		met, err := chromedp.Run(o.ctx, chromedp.Evaluate[bool](expression))
		return err == nil && met
	}, longest, longest/1000, "it never holds on the page: %s", expression)
}

func (o *office) confirm(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		o.kafka.Produce(t, &kgo.Record{Topic: o.topic, Value: fmt.Appendf(nil,
			`{"order_id":%q,"confirmed_at":"2026-03-27T11:02:07Z","currency":"USD","amount":"22.99","cjevent":%q}`, id, click1)})
	}
}

const (
	circuit = `document.getElementById("circuit").textContent`
	found   = `document.getElementById("found").innerText`
	visible = `(id => { const e = document.getElementById(id); return !e.hidden && e.getBoundingClientRect().height > 0 })`
)

func TestConsoleThroughAnOutage(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.confirm(t, "ORD-before")
	o.awaits(t, found+`.includes("ORD-before")`)
	o.awaits(t, `document.getElementById("outcomes").innerText.includes("acknowledged")`)

	rules, err := cjtest.ParseScript("status=503")
	require.NoError(t, err)
	o.cj.Script(rules...)
	o.confirm(t, "ORD-1", "ORD-2", "ORD-3")
	o.awaits(t, circuit+` === "circuit open"`)
	o.awaits(t, visible+`("troubles") && document.getElementById("troubles").innerText.includes("the circuit is open")`)
	o.awaits(t, `document.getElementById("partitions").innerText.includes("waiting")`)
	o.awaits(t, `document.getElementById("ready").textContent === "ready"`)

	o.cj.Script()
	o.awaits(t, circuit+` === "circuit closed"`)
	o.awaits(t, `!`+visible+`("troubles")`)
	o.awaits(t, `!document.querySelector(".ribbon .is-waiting")`)

	// One order of many, with its way.
	o.do(t, chromedp.SendKeys(chromedp.ID("q"), "ord-2"))
	o.awaits(t, `document.querySelectorAll("#found details").length === 1`)
	o.do(t, chromedp.Click(chromedp.CSS("#found summary")))
	for _, part := range []string{"read from Kafka", "CJ answered 503", "CJ answered 200", "committed", "CJEVENT=…"} {
		o.awaits(t, fmt.Sprintf(`%s.includes(%q)`, found, part))
	}
	o.awaits(t, `!`+found+`.includes("`+click1+`")`)
	require.Empty(t, o.trouble())
}

func TestConsoleHoldsAndResumesSending(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	_, err := chromedp.Run(o.ctx, chromedp.Evaluate[bool](`(window.confirm = () => true, true)`))
	require.NoError(t, err)
	o.do(t, chromedp.Click(chromedp.CSS(`[data-action="/actions/sending/hold"]`)))
	// Actions need the token, on loopback too.
	o.do(t, chromedp.SendKeys(chromedp.ID("token"), adminToken))
	o.do(t, chromedp.Click(chromedp.ID("login-ok")))
	o.awaits(t, `document.getElementById("troubles").innerText.includes("an operator holds it")`)
	o.confirm(t, "ORD-held")
	o.do(t, chromedp.Click(chromedp.CSS(`[data-action="/actions/sending/resume"]`)))
	o.awaits(t, found+`.includes("acknowledged: carried")`)
	o.awaits(t, `!`+visible+`("troubles")`)
	require.Empty(t, o.trouble())
}

func TestConsoleFitsAPhoneInTheDark(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.confirm(t, "ORD-"+strings.Repeat("LONG-", 15))
	o.awaits(t, found+`.includes("LONG-")`)
	light, err := chromedp.Run(o.ctx, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`))
	require.NoError(t, err)
	_, err = chromedp.Call(o.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
	})
	require.NoError(t, err)
	o.awaits(t, `getComputedStyle(document.body).backgroundColor !== "`+light+`"`)
	o.do(t, chromedp.EmulateViewport(360, 740))
	o.awaits(t, `innerWidth === 360 && document.documentElement.scrollWidth <= 360`)
	// Every control has a name that a screen reader can say.
	o.awaits(t, `[...document.querySelectorAll("button, input, select, [role=img]")].every(e => (e.labels?.[0]?.textContent || e.textContent || e.getAttribute("aria-label") || "").trim())`)
	require.Empty(t, o.trouble())

	// What the page must not do is noticed, and the policy keeps it from being done.
	_, err = chromedp.Run(o.ctx, chromedp.Evaluate[bool](`(fetch("https://elsewhere.test/").catch(() => {}), true)`))
	require.NoError(t, err)
	require.Eventually(t, func() bool { return strings.Contains(strings.Join(o.trouble(), " "), "Content Security Policy") }, longest, longest/1000)
}
