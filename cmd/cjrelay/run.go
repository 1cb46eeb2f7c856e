package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/version"
)

// runCmd is `cjrelay run`.
type runCmd struct{ configFlag }

// Run works until ctx ends and stops gracefully then.
func (c *runCmd) Run(ctx context.Context, stdio *stdio) error {
	cfg, err := c.load(config.ForRun)
	if err != nil {
		return err
	}
	log := newLog(stdio.Err, cfg.Log)
	processor, err := relay.New(cfg, log)
	if err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := processor.Register(metrics); err != nil {
		return err
	}
	settings, err := cfg.YAML()
	if err != nil {
		return err
	}
	admin, err := console.Listen(console.Config{
		Listen: cfg.Admin.Listen, Token: cfg.Admin.Token.Reveal(), Metrics: metrics,
		Ready: func() []console.Check { return checks(processor.Ready()) }, Version: version.String(), Settings: settings,
		Clicks: processor.Clicks, Letters: processor.Letters, Relay: processor, Actions: relay.Actions(processor), Log: log,
	})
	if err != nil {
		return err
	}
	log.Info("cjrelay runs", "version", version.String(), "group", cfg.Orders.Group, "orders", cfg.Orders.Topic, "admin", admin.Addr())

	stopLate := context.AfterFunc(ctx, func() {
		log.Info("stopping: draining what is under way", "at_most", cfg.Delivery.ShutdownGrace)
		time.AfterFunc(cfg.Delivery.ShutdownGrace, func() {
			log.Error("did not stop in time; orders whose outcome is not committed, if there are any, will be sent again", "shutdown_grace", cfg.Delivery.ShutdownGrace)
			os.Exit(exitFailed)
		})
	})
	defer stopLate()

	// The admin port answers until the consumer has stopped, so that a drain can be watched.
	serving, stopServing := context.WithCancel(context.WithoutCancel(ctx))
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return admin.Serve(serving) })
	group.Go(func() error {
		defer stopServing()
		return processor.Run(running)
	})
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped")
	return nil
}

func checks(ready []consumer.Check) []console.Check {
	all := make([]console.Check, len(ready))
	for i, check := range ready {
		all[i] = console.Check(check)
	}
	return all
}
