package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/version"
)

// The range of Options.Orders.
const (
	OrdersMin = 1
	OrdersMax = 1_000_000
)

// Options set a demo. Every field counts as it is; there are no defaults here.
type Options struct {
	// Orders is how many orders are produced, OrdersMin to OrdersMax.
	Orders int
	// Seed decides everything but the time: the same seed and number make the same clicks and orders.
	Seed uint64
	// Serve keeps the world running after the ledger, with a trickle of shoppers, until the context ends.
	Serve bool
	// JSON prints the ledger as one JSON object instead of text.
	JSON bool
	// Admin is where the console listens, host:port. Where that is taken the demo takes a free port instead,
	// unless it is to serve.
	Admin string
	// Out takes the ledger, Err everything else for people. A terminal at Err shows a live picture.
	Out, Err io.Writer
	// Log takes the relay's log.
	Log io.Writer

	// pace replaces the pace that follows from Orders, in tests.
	pace *pace
}

// ErrNotClean means that the ledger, which has been printed, has something lost or wrong.
var ErrNotClean = errors.New("the ledger is not clean: something is lost or wrong")

// Run plays a demo and prints its ledger. The error is ErrNotClean when the ledger is bad, and another one when
// there is no ledger: the demo could not be set up, or ctx ended before its end. When it serves, the end of
// ctx is no error.
func Run(ctx context.Context, o Options) (err error) {
	began := time.Now()
	w, err := open(ctx)
	if err != nil {
		return interrupted(ctx, err)
	}
	defer w.close()
	notes := newNotes()
	relays := newRelays(w, notes.log(o.Log))
	defer func() { err = errors.Join(err, relays.stop()) }()
	admin, err := o.listen(relays, w.config)
	if err != nil {
		return err
	}
	till, err := newTill(w.config, o.Orders)
	if err != nil {
		return err
	}
	defer till.close()
	clerk, err := newClerk(w.config)
	if err != nil {
		return err
	}
	defer clerk.close()
	s := &story{
		orders: o.Orders, seed: o.Seed, pace: paceOf(o.Orders), began: began, world: w, relays: relays, till: till, clerk: clerk,
		console: admin.Addr(), reached: map[phase]bool{},
	}
	if o.pace != nil {
		s.pace = *o.pace
	}

	// The port is ours from the start, but answers from the moment on that the relay is ready.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	var background errgroup.Group
	defer func() {
		stopServing()
		err = errors.Join(err, background.Wait())
	}()
	ledger, err := s.show(ctx, o.Err, func() (*Ledger, error) {
		if err := relays.start(ctx); err != nil {
			return nil, err
		}
		background.Go(func() error { return admin.Serve(serving) })
		return s.tell(ctx)
	})
	if err != nil {
		return interrupted(ctx, err)
	}
	if err := o.print(ledger, notes); err != nil {
		return err
	}
	if o.Serve {
		if err := s.goOn(ctx, o.Err); err != nil {
			return err
		}
	}
	if !ledger.Clean() {
		return ErrNotClean
	}
	return nil
}
