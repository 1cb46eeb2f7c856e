//go:build browser

package browser_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
)

const (
	lettersFound   = `document.getElementById("letters-found").innerText`
	lettersReasons = `document.getElementById("letters-reasons").innerText`
)

// run evaluates what is true.
func (o *office) run(t *testing.T, expression string) {
	t.Helper()
	met, err := chromedp.Run(o.ctx, chromedp.Evaluate[bool]("("+expression+", true)"))
	require.NoError(t, err)
	require.True(t, met)
}

func TestConsoleSendsDeadLettersAgain(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	rules, err := cjtest.ParseScript("status=400")
	require.NoError(t, err)
	o.cj.Script(rules...)
	o.confirm(t, "ORD-dead")
	o.kafka.Produce(t, &kgo.Record{Topic: o.topic, Value: []byte("{")}, &kgo.Record{Topic: o.topic, Value: []byte("}")})
	o.run(t, `window.confirm = () => true, document.getElementById("letters").scrollIntoView()`)
	o.awaits(t, lettersReasons+`.includes("waiting 3") && `+lettersReasons+`.includes("malformed 2")`)
	o.awaits(t, lettersFound+`.includes("ORD-dead")`)

	// Its error, and what to do.
	o.do(t, chromedp.SendKeys(chromedp.ID("letters-q"), "ord-d"))
	o.awaits(t, `document.querySelectorAll("#letters-found details").length === 1`)
	o.do(t, chromedp.Click(chromedp.CSS("#letters-found summary")))
	for _, part := range []string{"CJ answered 400", "What next", "Mend what the error names"} {
		o.awaits(t, fmt.Sprintf(`%s.includes(%q)`, lettersFound, part))
	}
	o.awaits(t, `!document.body.innerText.includes("`+click1+`")`)

	// CJ takes it now.
	o.cj.Script()
	o.do(t, chromedp.Click(chromedp.CSS("#letters-found button[data-action]")))
	o.do(t, chromedp.SendKeys(chromedp.ID("token"), adminToken))
	o.do(t, chromedp.Click(chromedp.ID("login-ok")))
	o.awaits(t, lettersFound+`.includes("Sent again")`)
	o.awaits(t, `!document.querySelector("#letters-found button[data-action]")`)
	o.awaits(t, lettersReasons+`.includes("waiting 2") && `+lettersReasons+`.includes("sent again 1")`)
	o.do(t, chromedp.Click(chromedp.CSS("#letters-found button.quiet")))
	o.awaits(t, `document.getElementById("q").value === "ORD-dead"`)
	o.awaits(t, found+`.includes("acknowledged: carried")`)
	o.do(t, chromedp.Click(chromedp.CSS("#found summary")))
	o.awaits(t, found+`.includes("sent again from ")`)

	// All of a reason at once; these come back.
	o.run(t, `document.getElementById("letters-q").value = "", document.getElementById("letters").scrollIntoView()`)
	o.do(t, chromedp.Click(chromedp.CSS(`[data-reason="malformed"]`)))
	o.awaits(t, `document.querySelectorAll("#letters-found details").length === 2`)
	o.do(t, chromedp.Click(chromedp.CSS("#letters-bulk button")))
	o.awaits(t, `document.getElementById("letters-bulk").innerText.includes("2 sent again.")`)
	o.awaits(t, lettersReasons+`.includes("sent again 3")`)
	o.awaits(t, lettersReasons+`.includes("waiting 2")`)
	o.do(t, chromedp.Click(chromedp.CSS(`[data-reason="(sent again)"]`)))
	o.awaits(t, `document.querySelectorAll("#letters-found details").length === 3`)

	o.do(t, chromedp.EmulateViewport(360, 740))
	o.run(t, `document.querySelectorAll("details").forEach(d => { d.open = true; })`)
	o.awaits(t, `innerWidth === 360 && document.documentElement.scrollWidth <= 360`)
	o.awaits(t, `[...document.querySelectorAll("button, input, select, [role=img]")].every(e => (e.labels?.[0]?.textContent || e.textContent || e.getAttribute("aria-label") || "").trim())`)
	require.Empty(t, o.trouble())
}

// A page that is opened anew shows what was before.
func TestConsoleBeginsWithThePast(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.confirm(t, "ORD-before")
	o.awaits(t, found+`.includes("ORD-before")`)
	// Two samples of the past are five seconds apart.
	o.awaits(t, `(document.title = document.title, fetch("/history").then(a => a.json()).then(h => { window.samples = h.samples.length; }), window.samples >= 3)`)
	o.run(t, `window.old = true, location.reload()`)
	o.awaits(t, `!window.old && document.getElementById("ready").textContent === "ready"`)
	// The line has more than the page can have seen itself.
	o.awaits(t, `(document.querySelector("#acked-line path.over").getAttribute("d").match(/[ML]/g) || []).length >= 2`)
	o.awaits(t, `document.getElementById("acked-note").textContent.startsWith("latest 5 minutes, at most ")`)
	require.Empty(t, o.trouble())
}
