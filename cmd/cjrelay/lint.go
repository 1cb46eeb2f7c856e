package main

import (
	"fmt"

	"github.com/cjrelay/cjrelay/internal/config"
)

// lintCmd is `cjrelay lint`.
type lintCmd struct {
	configFlag
	Print bool `help:"Print the configuration with every default, secrets hidden."`
}

// Run checks the configuration.
func (c *lintCmd) Run(stdio *stdio) error {
	cfg, err := c.read()
	if err != nil {
		return err
	}
	verdict, purposes := "the configuration is valid", []config.Purpose{config.ForRun}
	if cfg.Capture.Configured() {
		purposes = append(purposes, config.ForCapture)
		if cfg.CJ.EnterpriseID == "" && len(cfg.CJ.Actions) == 0 {
			verdict = "the configuration is valid for an edge; it sends no orders: cj.enterprise_id and cj.actions are not set"
			purposes = purposes[1:]
		}
	}
	for _, purpose := range purposes {
		if err := cfg.Validate(purpose); err != nil {
			return err
		}
	}
	if c.Print {
		text, err := cfg.YAML()
		if err != nil {
			return err
		}
		_, err = stdio.Out.Write(text)
		return err
	}
	_, err = fmt.Fprintln(stdio.Err, verdict)
	return err
}
