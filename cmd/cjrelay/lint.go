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
	cfg, err := c.load(config.ForRun)
	if err != nil {
		return err
	}
	if cfg.Capture.Configured() {
		if err := cfg.Validate(config.ForCapture); err != nil {
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
	_, err = fmt.Fprintln(stdio.Err, "the configuration is valid")
	return err
}
