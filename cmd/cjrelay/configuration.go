package main

import (
	"io"
	"log/slog"
	"os"

	"github.com/cjrelay/cjrelay/internal/config"
)

// configFlag is the flag of every verb that needs a configuration.
type configFlag struct {
	Config string `help:"The configuration file. Without it, ./cjrelay.yaml if there is one, then CJRELAY_ variables over the defaults." placeholder:"FILE"`
}

// load reads and checks the configuration for a purpose.
func (f configFlag) load(purpose config.Purpose) (config.Config, error) {
	cfg, err := f.read()
	if err != nil {
		return config.Config{}, err
	}
	return cfg, cfg.Validate(purpose)
}

// read is load before anything is validated.
func (f configFlag) read() (config.Config, error) {
	path := f.Config
	if path == "" {
		if _, err := os.Stat("cjrelay.yaml"); err == nil {
			path = "cjrelay.yaml"
		}
	}
	return config.Load(path, os.Environ())
}

// newLog makes the process's log as configured; the values were checked with the configuration.
func newLog(out io.Writer, log config.Log) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(log.Level))
	options := &slog.HandlerOptions{Level: level}
	if log.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
