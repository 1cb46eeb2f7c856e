package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/dryrun"
)

// dryRunCmd is `cjrelay dry-run`.
type dryRunCmd struct {
	configFlag
	Output string `short:"o" help:"Form of the answer: text or json." enum:"text,json" default:"text"`
}

var errNotReady = errors.New("`cjrelay run` would not work: see what failed")

// Run prints each check when it is done.
func (c *dryRunCmd) Run(ctx context.Context, stdio *stdio) error {
	cfg, err := c.load(config.ForRun)
	if err != nil {
		return err
	}
	marks := map[dryrun.Status]string{dryrun.OK: "[+]", dryrun.Warning: "[!]", dryrun.Failure: "[-]"}
	bad := false
	checks := []dryrun.Check{}
	err = dryrun.Run(ctx, cfg, func(check dryrun.Check) {
		bad = bad || check.Status == dryrun.Failure
		checks = append(checks, check)
		if c.Output == "text" {
			fmt.Fprintf(stdio.Out, "%s %-8s  %s\n", marks[check.Status], check.Name, check.Text)
		}
	})
	if c.Output == "json" {
		encoder := json.NewEncoder(stdio.Out)
		encoder.SetIndent("", "  ")
		err = errors.Join(encoder.Encode(checks), err)
	}
	if err == nil && bad {
		err = errNotReady
	}
	return err
}
