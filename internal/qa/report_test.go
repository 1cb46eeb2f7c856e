package qa

import (
	"encoding/json"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheReportsHaveEveryParameterAndTotal(t *testing.T) {
	t.Parallel()
	account := ownAccount()
	run := rehearsed(t, account, Samples(account, now))
	page, mail := bothReports(t, run)
	text := html.UnescapeString(page)
	for _, want := range []string{"77", "order 1, signup 2", testClick, "2026-03-27 12:00:00 UTC", "cjrelay v1.2.3", "8 of 8 scenarios passed", "Rehearsal.", "2 × 22.99 + 1 × 64.50", "110.48 − 5.00 − 10.55", "94.93"} {
		require.Contains(t, text, want)
		require.Contains(t, mail, want)
	}
	require.Contains(t, text, account.Name)
	require.Contains(t, mail, `Example \<Shop\>`)
	for i := range run.Results {
		result := &run.Results[i]
		require.Contains(t, text, result.URL)
		require.Contains(t, mail, result.URL)
		for _, p := range result.Parameters {
			require.Contains(t, text, "<code>"+p.Name+"</code>")
			require.Contains(t, text, "<code>"+p.Got+"</code>")
			require.Contains(t, text, p.Rule.Text)
			require.Contains(t, mail, "| `"+p.Name+"` | "+markdownCode(p.Got)+" | "+markdown(p.From))
		}
	}
	for _, question := range []string{askDCNT, askCoupons, askNames, askSecret, askResponse} {
		require.Equal(t, 1, strings.Count(text, question))
		require.Contains(t, mail, question)
	}
}

func TestTheReportAsksOnlyWhatTheOrdersRaise(t *testing.T) {
	t.Parallel()
	account := SampleAccount()
	page, _ := bothReports(t, rehearsed(t, account, Own(account, readOrders(t, order("O-1", `"items": [{"sku": "A", "unit_price": 1, "quantity": 1}], "coupons": ["ONE"]`)))))
	text := html.UnescapeString(page)
	require.Contains(t, text, askResponse)
	for _, question := range []string{askDCNT, askCoupons, askNames, askSecret, askAmount} {
		require.NotContains(t, text, question)
	}
}

func TestTheHTMLReportIsOneFileThatAsksForNothing(t *testing.T) {
	t.Parallel()
	account := ownAccount()
	page, _ := bothReports(t, rehearsed(t, account, Samples(account, now)))
	require.True(t, strings.HasPrefix(page, "<!DOCTYPE html>"))
	require.Contains(t, page, `content="default-src 'none'; style-src 'unsafe-inline'"`)
	require.NotRegexp(t, regexp.MustCompile(`(?i)<script|<link|<img|<iframe|\bsrc=|url\(|@import|\bon[a-z]+=`), page)
	for _, link := range regexp.MustCompile(`href="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		require.True(t, strings.HasPrefix(link[1], "#scenario-"), link[1])
		require.Contains(t, page, `id="`+link[1][1:]+`"`)
	}
}

func TestTheSignatureIsInNoReport(t *testing.T) {
	t.Parallel()
	account := ownAccount()
	run := rehearsed(t, account, Samples(account, now))
	page, markdown := bothReports(t, run)
	summary, err := json.Marshal(run.Summary())
	require.NoError(t, err)
	for _, report := range []string{page, html.UnescapeString(page), markdown, string(summary)} {
		require.NotContains(t, report, testSecret)
		require.NotContains(t, report, url.QueryEscape(testSecret))
		require.NotContains(t, report, "s3cr3t")
	}
	for _, report := range []string{page, markdown} {
		require.Contains(t, report, "SIGNATURE=HIDDEN")
		require.Contains(t, report, "(18 characters)")
	}
	require.NotContains(t, string(summary), testClick)
}

func TestAWrongSignatureFailsWithoutShowingIt(t *testing.T) {
	t.Parallel()
	run := rehearsed(t, ownAccount(), Samples(ownAccount(), now)[:1], func(r *Run) { r.Account.Signature = "another-one" })
	require.Equal(t, []string{"SIGNATURE: must be (11 characters), but CJ would read (18 characters)"}, run.Results[0].Failures)
}

func TestHostileOrdersStayText(t *testing.T) {
	t.Parallel()
	const script = `<script>alert(1)</script>`
	hostile := script + " | `tick` [a](http://evil.example) \\\" &amp; **b**"
	quoted, err := json.Marshal(hostile)
	require.NoError(t, err)
	account := SampleAccount()
	account.Name = script
	run := rehearsed(t, account, Own(account, readOrders(t,
		order("O-1", lead+`, "attributes": {"note": `+string(quoted)+`}, "coupons": [`+string(quoted)+`], "customer_country": "US"`)+
			order(script, lead)+order("O-3\nO-4", lead+`, "action": `+string(quoted)))))
	require.Empty(t, run.Results[0].Failures, "CJ takes such a text")
	require.Equal(t, 1, run.Passed())
	page, markdown := bothReports(t, run)
	require.NotContains(t, strings.ToLower(page), "<script")
	require.NotContains(t, page, "<b>")
	require.Contains(t, html.UnescapeString(page), hostile)
	require.NotRegexp(t, regexp.MustCompile(`[^\\\n][<>]|(?m)^[<>]`), markdown, "every angle bracket is escaped")
	require.NotContains(t, markdown, "[a](")
	require.NotRegexp(t, regexp.MustCompile(`[^\\]&amp;`), markdown)
	require.Contains(t, markdown, `\<script\>alert(1)\</script\> \| \`+"`tick\\`")
	for line := range strings.Lines(markdown) {
		require.False(t, strings.HasPrefix(line, "O-4"), "no new line")
	}
}

func TestEMailAddressesAreInNoReport(t *testing.T) {
	t.Parallel()
	account := SampleAccount()
	run := rehearsed(t, account, Own(account, readOrders(t,
		order("joe@example.com", lead)+order("O-2", lead+`, "attributes": {"note": "joe@example.com", "more": "joe%2540example.com", "most": "joe%2525252540example.com", "joe@example.com": "x", "odd": "5%off joe%40example.com"}`)+
			order("O-3", `"items": [{"sku": "joe@example.com", "unit_price": 1, "quantity": 1}], "coupons": ["joe@example.com"], "action": "joe@example.com", "customer_country": "joe@example.com"`))))
	require.Zero(t, run.Passed())
	page, markdown := bothReports(t, run)
	summary, err := json.Marshal(run.Summary())
	require.NoError(t, err)
	for _, report := range []string{page, markdown, string(summary)} {
		require.NotContains(t, report, "joe")
	}
}

// The engineer looks the orders up by the click, and must not look for one that CJ never issued.
func TestTheReportNamesItsClick(t *testing.T) {
	t.Parallel()
	account := SampleAccount()
	_, markdown := bothReports(t, rehearsed(t, account, Samples(account, now)[:1]))
	require.Regexp(t, `(?m)Test click \(CJEVENT\).*`+testClick, markdown)
	require.NotContains(t, markdown, testClick+` (made up)`)
	_, markdown = bothReports(t, rehearsed(t, account, Samples(account, now)[:1], func(r *Run) { r.ClickID = SampleClickID }))
	require.Contains(t, markdown, SampleClickID+` (made up)`)
}

func TestALiveReportSaysSo(t *testing.T) {
	t.Parallel()
	run, _ := live(t)
	_, markdown := bothReports(t, run)
	require.Contains(t, markdown, "A live test was asked for. It was not begun")
	require.NoError(t, run.Send(t.Context()))
	_, markdown = bothReports(t, run)
	require.Contains(t, markdown, "Live test.")
	require.NotContains(t, markdown, "Nothing was sent")
	require.Contains(t, markdown, "a receipt, not yet a commission")
	require.Contains(t, markdown, "QA-"+run.Stamp)
	require.Contains(t, markdown, "200 OK after ")
}

// A column of the printed report is narrower than some names, which are to break between their words.
func TestNamesBreakBetweenTheirWords(t *testing.T) {
	t.Parallel()
	for path, broken := range map[string]string{
		"customer_status": "customer_<wbr>status", "cj.enterprise_id": "cj.<wbr>enterprise_<wbr>id", "items[0].unit_price": "items[0].<wbr>unit_<wbr>price", "<b>": "&lt;b&gt;",
	} {
		require.EqualValues(t, broken, htmlPath(path))
	}
}
