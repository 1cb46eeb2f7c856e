package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/qa"
)

// qaAccount writes a configuration with an endpoint and returns its path.
func qaAccount(t *testing.T, endpoint string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "cjrelay.yaml")
	text := fmt.Sprintf(`cj: {endpoint: %q, enterprise_id: "77", actions: {sale: "1", lead: "2"}, signature: s3cr3t}`, endpoint)
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func startCJ(t *testing.T, options ...cjtest.Option) *cjtest.Server {
	t.Helper()
	cj, err := cjtest.Start(options...)
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	return cj
}

// qaSummary runs the verb with -o json into a new directory.
func qaSummary(t *testing.T, args ...string) (qa.Summary, result) {
	t.Helper()
	got := call(t, "", append([]string{"qa", "-o", "json", "--out", filepath.Join(t.TempDir(), "new", "dir")}, args...)...)
	var summary qa.Summary
	if got.out != "" {
		require.NoError(t, json.Unmarshal([]byte(got.out), &summary))
	}
	return summary, got
}

// reportOf reads both reports of a run.
func reportOf(t *testing.T, summary qa.Summary) (html, markdown string) {
	t.Helper()
	h, err := os.ReadFile(summary.HTML)
	require.NoError(t, err)
	m, err := os.ReadFile(summary.Markdown)
	require.NoError(t, err)
	return string(h), string(m)
}

func ownOrders(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "orders.json")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestQARehearsesEverySampleWithoutAConfiguration(t *testing.T) {
	t.Parallel()
	summary, got := qaSummary(t)
	require.Equal(t, exitDone, got.code, got.err)
	require.Empty(t, got.err)
	require.True(t, summary.Passed)
	require.False(t, summary.Live)
	require.Len(t, summary.Scenarios, len(qa.Cases))
	html, markdown := reportOf(t, summary)
	require.Contains(t, html, "The account is made up")
	require.Contains(t, markdown, "Nothing was sent to CJ.")
}

func TestQAPrintsALineForEachScenario(t *testing.T) {
	t.Chdir(t.TempDir())
	got := call(t, "", "qa", "--scenarios", "retail-both-discounts,lead", "--advertiser", "Example Shop")
	require.Equal(t, exitDone, got.code, got.err)
	require.Regexp(t, `(?m)^retail-both-discounts +retail-both-discounts +94\.93 +passed$`, got.out)
	require.Regexp(t, `(?m)^lead-no-items +lead-no-items +40\.25 +passed$`, got.out)
	require.NotRegexp(t, `(?m)^travel-reservation `, got.out)
	require.Regexp(t, `(?m)^not covered +retail-no-discount, .*travel-reservation`, got.out)
	require.Contains(t, got.out, "qa-report/cjrelay-qa.html")
	text, err := os.ReadFile("qa-report/cjrelay-qa.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "Example Shop")
}

func TestQATakesOwnOrders(t *testing.T) {
	t.Parallel()
	summary, got := qaSummary(t, ownOrders(t, sample("")), ownOrders(t, `[{"order_id": "O-2", "confirmed_at": "2026-03-27T11:02:07Z", "currency": "EUR", "amount": "9.5"}]`))
	require.Equal(t, exitDone, got.code, got.err)
	require.Equal(t, []string{"ORD-1", "O-2"}, []string{summary.Scenarios[0].OrderID, summary.Scenarios[1].OrderID})
	require.Equal(t, qa.LeadWithoutItems, summary.Scenarios[1].Case)
	require.Contains(t, summary.NotCovered, qa.RetailPlain, "one product is not enough")
	require.NotContains(t, summary.NotCovered, qa.LeadWithoutItems)
}

func TestQAExitsWithOneWhereAScenarioFails(t *testing.T) {
	t.Parallel()
	orders := ownOrders(t, sample("")+sample(`"consent": false`))
	summary, got := qaSummary(t, orders)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "1 of 2 scenarios failed")
	require.False(t, summary.Passed)
	require.Contains(t, summary.Scenarios[1].Failures[0], "no_consent")
	html, _ := reportOf(t, summary)
	require.Contains(t, html, "1 of 2 scenarios passed")

	got = call(t, "", "qa", "--out", t.TempDir(), orders)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.out, "FAILED")
	require.Contains(t, got.out, "no_consent")

	many := ownOrders(t, strings.Repeat(sample(""), qa.OrdersMax))
	_, got = qaSummary(t, many, orders)
	require.Equal(t, exitFailed, got.code, "more than anybody reads, though no file alone has them")
	require.Contains(t, got.err, "choose some")

	_, got = qaSummary(t, ownOrders(t, sample(`"amount": "1"`)))
	require.Equal(t, exitFailed, got.code, "an order that breaks a rule")
	require.Contains(t, got.err, "order 1: ")
	require.Empty(t, got.out)
}

func TestQALiveSendsMarkedOrdersAndKeepsItsReport(t *testing.T) {
	t.Parallel()
	cj := startCJ(t, cjtest.WithEnterpriseIDs("77"), cjtest.WithActions("1", "2"))
	config := qaAccount(t, cj.Endpoint())
	own := ownOrders(t, sample(`"cjevent": "`+other+`"`))
	summary, got := qaSummary(t, own, "--config", config, "--live", "--yes", "--cjevent", click)
	require.Equal(t, exitDone, got.code, got.err)
	require.True(t, summary.Live)
	received := cj.Received()
	require.Len(t, received, 1)
	require.Equal(t, cjtest.Valid, received[0].Verdict)
	require.Equal(t, summary.Scenarios[0].OrderID, received[0].OrderID)
	require.Regexp(t, `^QA-\d{8}T\d{6}-[0-9a-f]{6}-ORD-1$`, received[0].OrderID)
	require.Equal(t, click, received[0].ClickID)
	html, markdown := reportOf(t, summary)
	for _, report := range []string{html, markdown} {
		require.Contains(t, report, "Live test.")
		require.NotContains(t, report, "s3cr3t")
		require.NotContains(t, report, other)
	}
	require.NotContains(t, got.out+got.err, click)

	again, got := qaSummary(t, own, "--config", config, "--live", "--yes", "--cjevent", click)
	require.Equal(t, exitDone, got.code, got.err)
	require.NotEqual(t, filepath.Base(summary.HTML), filepath.Base(again.HTML))
	require.Zero(t, cj.Summary().Duplicates, "a second test is no duplicate of the first")
}

func TestQALiveFailsWhereTheEndpointDoes(t *testing.T) {
	t.Parallel()
	cj := startCJ(t, cjtest.WithEnterpriseIDs("78")) // another account's endpoint
	summary, got := qaSummary(t, "--scenarios", "retail", "--config", qaAccount(t, cj.Endpoint()), "--live", "--yes")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.err, "4 of 4 scenarios failed")
	require.Contains(t, summary.Scenarios[0].Failures[0], "the endpoint did not take it")
	require.Equal(t, 400, summary.Scenarios[0].Status)
	require.Equal(t, 4, cj.Count())
}

func TestQALiveSendsNothingAfterARehearsalThatFailed(t *testing.T) {
	t.Parallel()
	cj := startCJ(t)
	summary, got := qaSummary(t, ownOrders(t, sample("")+sample(`"consent": false`)), "--config", qaAccount(t, cj.Endpoint()), "--live", "--yes", "--cjevent", click)
	require.Equal(t, exitFailed, got.code)
	require.False(t, summary.Live)
	require.Zero(t, cj.Count())
	_, markdown := reportOf(t, summary)
	require.Contains(t, markdown, "It was not begun")
}

func TestQALiveSendsNothingWithoutAPlaceForTheReport(t *testing.T) {
	t.Parallel()
	cj := startCJ(t)
	file := ownOrders(t, "not a directory")
	got := call(t, "", "qa", "--out", file, "--config", qaAccount(t, cj.Endpoint()), "--live", "--yes", "--cjevent", click)
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.err, "--out")
	require.Zero(t, cj.Count())
}

func TestQAMistakesExitWithTwo(t *testing.T) {
	t.Parallel()
	cj := startCJ(t)
	fake, real := qaAccount(t, cj.Endpoint()), qaAccount(t, "https://www.emjcd.com/u")
	for name, test := range map[string]struct {
		args    []string
		problem string
	}{
		"LiveAtCJWithoutAClick":   {[]string{"--live", "--yes", "--config", real}, "--cjevent"},
		"LiveWithoutAnAccount":    {[]string{"--live", "--yes", "--cjevent", click}, "--config"},
		"LiveWithoutATerminal":    {[]string{"--live", "--config", fake, "--cjevent", click}, "--yes"},
		"YesWithoutLive":          {[]string{"--yes"}, "--live"},
		"IllegalClick":            {[]string{"--cjevent", "not-legal!"}, "(10 characters, first bad character '-' at position 4)"},
		"UnknownScenario":         {[]string{"--scenarios", "retial"}, "retail-no-discount"},
		"ScenariosBesideOrders":   {[]string{"--scenarios", "retail", fake}, "own orders"},
		"NoSuchOrders":            {[]string{"no-such-file.json"}, "no-such-file.json"},
		"NoSuchConfiguration":     {[]string{"--config", "no-such-file.yaml"}, "no-such-file.yaml"},
		"AccountThatCannotReport": {[]string{"--config", ownOrders(t, "cj: {enterprise_id: abc}")}, "cj.enterprise_id"},
		"UnknownForm":             {[]string{"-o", "xml"}, "xml"},
	} {
		t.Run(name, func(t *testing.T) {
			got := call(t, "", append([]string{"qa", "--out", filepath.Join(t.TempDir(), "out")}, test.args...)...)
			require.Equal(t, exitUsage, got.code, got.err)
			require.Empty(t, got.out)
			require.Contains(t, got.err, test.problem)
			require.NotContains(t, got.err, "not-legal")
		})
	}
	require.Zero(t, cj.Count())
}

func TestOnlyThisMachineIsThisMachine(t *testing.T) {
	t.Parallel()
	for endpoint, want := range map[string]bool{
		"http://127.0.0.1:8085/u": true, "http://[::1]:1/u": true, "http://LOCALHOST/u": true,
		"https://www.emjcd.com/u": false, "https://localhost.example.com/u": false, "https://127.0.0.1.example.com/u": false, "://": false,
	} {
		require.Equal(t, want, onThisMachine(endpoint), endpoint)
	}
}

func TestOnlyYesAgrees(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]bool{"yes\n": true, " YES \r\n": true, "yes": true, "y\n": false, "no\n": false, "\n": false, "": false} {
		var asked strings.Builder
		require.Equal(t, want, agreed(t.Context(), strings.NewReader(answer), &asked, "Send 8 test orders?"), answer)
		require.Contains(t, asked.String(), "Send 8 test orders?")
	}
	t.Run("AndNothingElseSends", func(t *testing.T) {
		t.Parallel()
		var asked strings.Builder
		answering := func(text string) *stdio { return &stdio{In: strings.NewReader(text), Err: &asked} }
		require.NoError(t, (&qaCmd{}).confirm(t.Context(), answering("yes\n"), qa.SampleAccount(), 8))
		require.Contains(t, asked.String(), "Send 8 test orders to https://www.emjcd.com/u as enterprise 1234567?")
		require.ErrorIs(t, (&qaCmd{}).confirm(t.Context(), answering("no\n"), qa.SampleAccount(), 8), errDeclined)
		require.NoError(t, (&qaCmd{Yes: true}).confirm(t.Context(), answering("no\n"), qa.SampleAccount(), 8), "nobody is asked")
	})
	t.Run("TheEndOfTheProgramIsANo", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		reader, writer, err := os.Pipe()
		require.NoError(t, err)
		t.Cleanup(func() { _ = writer.Close() })
		require.False(t, agreed(ctx, reader, &strings.Builder{}, "Send?"))
	})
}
