package demo

import (
	"context"
	"fmt"
	"io"
	"time"
)

const (
	// trickle is how often a shopper comes after the ledger.
	trickle = 400 * time.Millisecond
	// forgetAfter is how many shoppers the fake CJ remembers then.
	forgetAfter = 10_000
)

// goOn keeps the world running until ctx ends.
func (s *story) goOn(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "\nThe shop stays open, with a shopper every %s. Ctrl-C closes it.\n"+
		"The console is at http://%s/\nIts actions ask for this token: %s\n", trickle, s.console, s.token)
	crowd := newCrowd(s.seed)
	ticker := time.NewTicker(trickle)
	defer ticker.Stop()
	for i := s.orders; ; i++ {
		select {
		case <-ticker.C:
		case err := <-s.relays.failed:
			return err
		case <-ctx.Done():
			return nil
		}
		err := s.till.serve(ctx, i, []*shopper{crowd.shopper(i, time.Now())})
		if err != nil && ctx.Err() == nil {
			return err
		}
		if (i-s.orders)%forgetAfter == forgetAfter-1 {
			s.world.cj.Reset()
		}
	}
}
