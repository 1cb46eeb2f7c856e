package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// fakeCJCmd is `cjrelay fakecj`.
type fakeCJCmd struct {
	Listen          string   `default:"127.0.0.1:8085" help:"The address to listen on; 127.0.0.1:8085 without it." placeholder:"HOST:PORT"`
	Script          string   `help:"Trouble to make, for example \"next=5 status=429 retry-after=2; 10s-20s status=503; latency=20ms..80ms\"." placeholder:"RULES"`
	Silent          bool     `help:"Answer 200 to whatever arrives, as CJ does, and only record what is wrong with it."`
	EnterpriseID    []string `name:"enterprise-id" help:"Refuse every other enterprise id (CID)." placeholder:"ID"`
	ActionTrackerID []string `name:"action-tracker-id" help:"Refuse every other action tracker id (TYPE)." placeholder:"ID"`
	Verbose         bool     `short:"v" help:"Print a line for each request on stderr."`
	Output          string   `short:"o" enum:"text,json" default:"text" help:"The summary at the end: text or json."`
}

// Run serves until ctx is done, then prints a summary on stdout.
func (c *fakeCJCmd) Run(ctx context.Context, stdio *stdio) error {
	rules, err := cjtest.ParseScript(c.Script)
	if err != nil {
		return &usageError{"--script: " + err.Error()}
	}
	options := []cjtest.Option{
		cjtest.WithListen(c.Listen),
		cjtest.WithEnterpriseIDs(c.EnterpriseID...),
		cjtest.WithActions(c.ActionTrackerID...),
		cjtest.WithScript(rules...),
	}
	if c.Silent {
		options = append(options, cjtest.WithSilent())
	}
	if c.Verbose {
		options = append(options, cjtest.WithObserver(requestLines(stdio.Err)))
	}
	cj, err := cjtest.Start(options...)
	if err != nil {
		return fmt.Errorf("%w (another address: --listen HOST:PORT)", err)
	}
	fmt.Fprintf(stdio.Err, "fake CJ takes postbacks at %s\nwhat arrived: %s/_cjtest/received, %[2]s/_cjtest/summary\n", cj.Endpoint(), cj.URL())
	<-ctx.Done()
	cj.Close()
	if c.Output == "json" {
		return json.NewEncoder(stdio.Out).Encode(cj.Summary())
	}
	return writeSummary(stdio.Out, cj.Summary())
}

// requestLines prints a request a line: time, status, verdict, order id, total and what is wrong. No click id:
// the lines may end in a log.
func requestLines(w io.Writer) func(cjtest.Received) {
	var mu sync.Mutex
	return func(r cjtest.Received) {
		status := strconv.Itoa(r.Status)
		if r.Status == 0 {
			status = "---"
		}
		words := []string{r.At.Format("15:04:05.000"), status, string(r.Verdict), schema.Quoted(r.OrderID), r.Total}
		line := strings.TrimRight(strings.Join(words, " "), " ")
		if len(r.Problems) > 0 {
			line += ": " + strings.Join(r.Problems, "; ")
		}
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(w, line)
	}
}

func writeSummary(w io.Writer, s cjtest.Summary) error {
	var text strings.Builder
	fmt.Fprintf(&text, "requests      %d\nacknowledged  %d\nduplicates    %d\nrefused       %d\n", s.Requests, s.Acknowledged, s.Duplicates, s.Refused)
	for _, status := range slices.Sorted(maps.Keys(s.ByStatus)) {
		name := "status " + strconv.Itoa(status)
		if status == 0 {
			name = "no answer"
		}
		fmt.Fprintf(&text, "%-12s  %d\n", name, s.ByStatus[status])
	}
	_, err := io.WriteString(w, text.String())
	return err
}
