package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/relay"
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

// errIncomplete is the end of a demo that was stopped.
var errIncomplete = errors.New("stopped before the end: the ledger is incomplete, so nothing was checked")

// Run plays a demo and prints its ledger. The error is ErrNotClean when the ledger is bad, and another one when
// there is no ledger: the demo could not be set up, or ctx ended before its end. When it serves, the end of
// ctx is no error.
func Run(ctx context.Context, o Options) (err error) {
	s := &story{orders: o.Orders, seed: o.Seed, pace: paceOf(o.Orders), began: time.Now(), reached: map[phase]bool{}}
	if o.pace != nil {
		s.pace = *o.pace
	}
	ledger, err := o.run(ctx, s)
	switch {
	case err != nil && ledger == nil && ctx.Err() != nil:
		return errIncomplete
	case err != nil:
		return err
	case !ledger.Clean():
		return ErrNotClean
	}
	return nil
}

// run sets everything up, plays the story and takes everything down again.
func (o *Options) run(ctx context.Context, s *story) (ledger *Ledger, err error) {
	if s.world, err = open(ctx, s.pace); err != nil {
		return nil, err
	}
	defer s.world.close()
	if s.till, err = newTill(s.world.config, o.Orders); err != nil {
		return nil, err
	}
	defer s.till.close()
	if s.clerk, err = newClerk(s.world.config); err != nil {
		return nil, err
	}
	defer s.clerk.close()
	notes := newNotes()
	s.relays = newRelays(s.world, notes.log(o.Log))
	defer func() { err = errors.Join(err, s.relays.stop()) }()
	admin, err := o.listen(s)
	if err != nil {
		return nil, err
	}
	// The port is ours from the start, but it answers only from the moment on that the relay is ready.
	ready, setReady := context.WithCancel(ctx)
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() {
		<-ready.Done()
		served <- admin.Serve(serving)
	}()
	defer func() {
		stopServing()
		setReady()
		err = errors.Join(err, <-served)
	}()

	ledger, err = s.show(ctx, o.Err, func() (*Ledger, error) {
		if err := s.relays.start(ctx); err != nil {
			return nil, err
		}
		setReady()
		return s.tell(ctx)
	})
	if err != nil {
		return nil, err
	}
	if err := o.print(ledger, notes); err != nil {
		return ledger, err
	}
	if o.Serve {
		return ledger, s.goOn(ctx, o.Err)
	}
	return ledger, nil
}

// listen opens the console's port. A demo that does not stay needs no particular one.
func (o *Options) listen(s *story) (*console.Server, error) {
	settings, err := s.world.config.YAML()
	if err != nil {
		return nil, err
	}
	process := prometheus.NewRegistry()
	process.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	// A page of anybody's in a browser here can reach this port under a name of its own: a token that is in the program
	// would be no token.
	s.token = rand.Text()
	cfg := console.Config{
		Listen: o.Admin, Token: s.token, Metrics: prometheus.Gatherers{process, s.relays}, Ready: s.relays.ready, Version: version.String(), Settings: settings,
		Relay: s.relays, Clicks: s.relays.clicks, Letters: s.relays.letters, Actions: relay.Actions(s.relays), Log: s.relays.log,
	}
	admin, err := console.Listen(cfg)
	switch {
	case err == nil:
	case o.Serve && errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("--serve needs %s for the console, and it is in use: stop what uses it, perhaps another demo", o.Admin)
	case o.Serve:
		return nil, err
	default:
		cfg.Listen = "127.0.0.1:0"
		if admin, err = console.Listen(cfg); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Err, "%s is in use; the admin port is at %s this time\n", o.Admin, admin.Addr())
	}
	s.console = admin.Addr()
	return admin, nil
}

// print writes the ledger to Out, and to Err what explains it.
func (o *Options) print(ledger *Ledger, notes *notes) error {
	defer func() { fmt.Fprint(o.Err, notes.summary()) }()
	if o.JSON {
		for _, finding := range ledger.findings {
			fmt.Fprintln(o.Err, finding)
		}
		return ledger.writeJSON(o.Out)
	}
	if o.Serve {
		return ledger.writeText(o.Out)
	}
	return ledger.writeText(o.Out,
		"cjrelay demo --serve   stays open",
		"cjrelay qa             writes a report of CJ's test orders and their URLs")
}
