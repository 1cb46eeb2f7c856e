package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/cjrelay/cjrelay/internal/qa"
)

// reports are the two files of one run.
type reports struct{ html, markdown *os.File }

// createReports makes the files. A live test has names of its own by its stamp, so that no later run takes its
// evidence away.
func createReports(dir, stamp string) (*reports, error) {
	name := "cjrelay-qa"
	if stamp != "" {
		name += "-" + stamp
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, &usageError{"--out: " + err.Error()}
	}
	html, err := os.Create(filepath.Join(dir, name+".html"))
	if err != nil {
		return nil, &usageError{"--out: " + err.Error()}
	}
	markdown, err := os.Create(filepath.Join(dir, name+".md"))
	if err != nil {
		_ = html.Close()
		return nil, &usageError{"--out: " + err.Error()}
	}
	return &reports{html: html, markdown: markdown}, nil
}

// write fills both files and closes them.
func (r *reports) write(run *qa.Run) error {
	err := errors.Join(run.WriteHTML(r.html), run.WriteMarkdown(r.markdown), r.html.Close(), r.markdown.Close())
	if err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	return nil
}

// writeQA prints a line for each scenario, what failed in it, and where the report is.
func writeQA(out io.Writer, s qa.Summary) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "SCENARIO\tORDER\tTOTAL\tRESULT")
	for _, scenario := range s.Scenarios {
		total, result := scenario.Figures[len(scenario.Figures)-1].Want, "passed"
		if !scenario.Passed {
			result = "FAILED"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", scenario.Name, scenario.OrderID, total, result)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	var text strings.Builder
	for _, scenario := range s.Scenarios {
		for i, failure := range scenario.Failures {
			if i == 0 {
				text.WriteString("\n" + scenario.Name + "\n")
			}
			text.WriteString("  " + failure + "\n")
		}
	}
	text.WriteString("\n")
	if len(s.NotCovered) > 0 {
		names := make([]string, len(s.NotCovered))
		for i, missing := range s.NotCovered {
			names[i] = string(missing)
		}
		text.WriteString("not covered  " + strings.Join(names, ", ") + "\n")
	}
	sent := "nothing; this was a rehearsal on the fake CJ"
	if s.Live {
		sent = "to " + s.Endpoint + "; a 2xx is a receipt, ask CJ what it recorded"
	}
	text.WriteString("sent         " + sent + "\nreport       " + s.HTML + "\n             " + s.Markdown + "\n")
	_, err := io.WriteString(out, text.String())
	return err
}
