// Command cjrelay reports confirmed orders from Kafka to CJ Affiliate.
package main

import (
	"context"
	"io"
	"log"
	"os"
)

// stdio is what a verb reads and writes: data goes to Out, everything for people to Err.
type stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

func main() {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	// net/http's client writes into the standard logger what a server sends unasked, be it the order's own query.
	log.SetOutput(io.Discard)
	os.Exit(execute(ctx, os.Args[1:], &stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}
