package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kong"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/version"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// cli is the command line: one field a verb.
type cli struct {
	Demo    demoCmd    `cmd:"" help:"Show everything on this machine, with nothing installed: Kafka, registry, CJ, shoppers and faults in one process."`
	Run     runCmd     `cmd:"" help:"Read confirmed orders and report them to CJ."`
	Capture captureCmd `cmd:"" help:"Catch clicks at the shop's edge: as a reverse proxy, or as an endpoint that other proxies ask."`
	Preview previewCmd `cmd:"" help:"Print the URL that CJ would get for one order. Sends nothing."`
	Lint    lintCmd    `cmd:"" help:"Check a configuration."`
	DryRun  dryRunCmd  `cmd:"" name:"dry-run" help:"Ask Kafka, the schema registry and CJ's host what a run will need. Sends no order."`
	Clicks  clicksCmd  `cmd:"" help:"Look into the clicks, or forget those of a session."`
	DLQ     dlqCmd     `cmd:"" name:"dlq" help:"List, show and export dead letters, and send their orders again."`
	Replay  replayCmd  `cmd:"" help:"Read orders again from a time or an offset on, and send those that CJ does not have. Only tells what it would do, unless --execute is given."`
	Status  statusCmd  `cmd:"" help:"Show how the running process and the consumer group stand: readiness, circuit, lag, outcomes."`
	Explain explainCmd `cmd:"" help:"Tell what became of an order: its outcomes, its attempts, its click."`
	Topics  topicsCmd  `cmd:"" help:"Make the four topics and check their settings."`
	QA      qaCmd      `cmd:"" name:"qa" help:"Try CJ's test orders and write a report for the integration engineer."`
	FakeCJ  fakeCJCmd  `cmd:"" name:"fakecj" help:"Serve a strict fake CJ to test against."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// execute runs one verb and returns the process's exit code.
func execute(ctx context.Context, args []string, stdio *stdio) int {
	exited := -1
	parser := kong.Must(&cli{},
		kong.Name("cjrelay"),
		kong.Description("Reports confirmed orders from Kafka to CJ Affiliate, and commits an offset only when CJ has acknowledged it."),
		kong.Writers(stdio.Out, stdio.Err),
		kong.Exit(func(code int) { exited = code }),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(stdio),
	)
	command, err := parser.Parse(args)
	if exited >= 0 { // --help has been printed
		return exited
	}
	if err != nil {
		fmt.Fprintf(stdio.Err, "cjrelay: %v\nTry: %s --help\n", err, mistaken(err))
		return exitUsage
	}
	err = command.Run()
	var usage *usageError
	var misconfigured *config.Error
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.As(err, &misconfigured):
		fmt.Fprintf(stdio.Err, "cjrelay: %v\n", err)
		return exitUsage
	default:
		fmt.Fprintf(stdio.Err, "cjrelay: %v\n", err)
		return exitFailed
	}
}

// mistaken is the verb that a mistake on the command line belongs to, as far as it was told.
func mistaken(err error) string {
	var wrong *kong.ParseError
	if errors.As(err, &wrong) && wrong.Context != nil {
		if verb := wrong.Context.Selected(); verb != nil {
			return verb.FullPath()
		}
	}
	return "cjrelay"
}

// usageError is a mistake on the command line that the parser cannot see.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// versionCmd is `cjrelay version`.
type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(stdio *stdio) error {
	_, err := fmt.Fprintln(stdio.Out, version.String())
	return err
}
