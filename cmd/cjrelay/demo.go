package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/demo"
)

// demoCmd is `cjrelay demo`.
type demoCmd struct {
	Orders int    `default:"2000" help:"How many orders, 1 to 1000000; 2000 without it." placeholder:"N"`
	Seed   uint64 `default:"1" help:"Decides all clicks and orders: the same seed makes the same ones. 1 without it." placeholder:"N"`
	Serve  bool   `help:"Keep everything running after the ledger, with its console, until Ctrl-C."`
	Output string `short:"o" enum:"text,json" default:"text" help:"The ledger at the end: text or json."`
	Log    string `help:"Write the relay's log to this file." placeholder:"FILE"`
}

// Run plays the demo and prints its ledger on stdout.
func (c *demoCmd) Run(ctx context.Context, stdio *stdio) error {
	if c.Orders < demo.OrdersMin || c.Orders > demo.OrdersMax {
		return &usageError{fmt.Sprintf("--orders %d: must be %d to %d", c.Orders, demo.OrdersMin, demo.OrdersMax)}
	}
	log := io.Discard
	if c.Log != "" {
		file, err := os.Create(c.Log)
		if err != nil {
			return &usageError{"--log: " + err.Error()}
		}
		defer file.Close()
		log = file
	}
	return demo.Run(ctx, demo.Options{
		Orders: c.Orders, Seed: c.Seed, Serve: c.Serve, JSON: c.Output == "json", Admin: config.Default().Admin.Listen,
		Out: stdio.Out, Err: stdio.Err, Log: log,
	})
}
