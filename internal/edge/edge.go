// Package edge makes a running edge of the shop out of a configuration: package capture in a reverse proxy, or behind
// an endpoint that other proxies ask, with an admin port beside it.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/capture"
	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/version"
)

// Edge is one edge. Use New, then Run once.
type Edge struct {
	config   config.Config
	log      *slog.Logger
	capture  *capture.Capture
	metrics  *prometheus.Registry
	listener net.Listener
	server   *http.Server
	admin    *console.Server
	reach    reach
	// forgetShoppers ends the connections that no longer belong to the server: websockets.
	forgetShoppers context.CancelFunc
	// close gives up what only the handler holds.
	close func()
	// stopping is set before the port for shoppers closes.
	stopping atomic.Bool
}

// New opens the spool and both ports. It does not connect to Kafka or to the shop.
func New(cfg config.Config, log *slog.Logger) (_ *Edge, err error) {
	clicks, err := NewCapture(cfg, log, drain(cfg.Delivery.ShutdownGrace))
	if err != nil {
		return nil, err
	}
	e := &Edge{config: cfg, log: log, capture: clicks, metrics: prometheus.NewRegistry(), close: func() {}}
	defer func() {
		if err != nil {
			e.giveUp()
		}
	}()
	e.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), clicks)
	handler, err := e.handler()
	if err != nil {
		return nil, err
	}
	if err := e.listen(handler); err != nil {
		return nil, err
	}
	settings, err := cfg.YAML()
	if err != nil {
		return nil, err
	}
	e.admin, err = console.Listen(console.Config{
		Key: "capture.admin_listen", Listen: cfg.Capture.AdminListen, Token: cfg.Admin.Token.Reveal(), Metrics: e.metrics,
		Ready: e.ready, Troubles: e.troubles,
		Version: version.String(), Settings: settings, Forget: clicks.Forget, Log: log,
	})
	return e, err
}

// giveUp releases what New took when it cannot go on.
func (e *Edge) giveUp() {
	if e.listener != nil {
		_ = e.listener.Close()
	}
	e.close()
	_ = e.capture.Close()
}

// drain is how much of the time for a stop belongs to the clicks; requests under way have four times as much before.
func drain(grace time.Duration) time.Duration { return grace / 6 }

// handler is the proxy or the endpoint.
func (e *Edge) handler() (http.Handler, error) {
	if e.config.Capture.Upstream == "" {
		endpoint := newEndpoint(e.capture, e.config.Capture.Proxies(), e.log)
		return endpoint, e.metrics.Register(endpoint.untrusted)
	}
	proxy, err := newProxy(e.config.Capture, e.log)
	if err != nil {
		return nil, err
	}
	e.close = proxy.close
	return proxy.once(e.capture.Middleware(proxy)), e.metrics.Register(proxy.failures)
}

// Addr is where shoppers are served.
func (e *Edge) Addr() string { return e.listener.Addr().String() }

// AdminAddr is where the admin port is.
func (e *Edge) AdminAddr() string { return e.admin.Addr() }

// Run serves until ctx ends. Then it takes no more requests, lets those under way end for two thirds of
// delivery.shutdown_grace, writes their clicks to the spool, and goes on producing for a sixth. The clicks that Kafka
// has not taken by then stay in the spool.
func (e *Edge) Run(ctx context.Context) error {
	defer e.close()
	// Each ends after the one before it: the requests make clicks, and the admin port shows how all of that goes.
	catching, stopCatching := context.WithCancel(context.WithoutCancel(ctx))
	administering, stopAdministering := context.WithCancel(context.WithoutCancel(ctx))
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer stopCatching()
		return e.serve(running)
	})
	group.Go(func() error {
		defer stopAdministering()
		if err := e.capture.Run(catching); err != nil {
			return fmt.Errorf("capture.spool_dir %s: %w", e.config.Capture.SpoolDir, err)
		}
		return nil
	})
	group.Go(func() error { return e.admin.Serve(administering) })
	group.Go(func() error {
		e.checkTopic(running)
		return nil
	})
	group.Go(func() error {
		e.watchKafka(running)
		return nil
	})
	return group.Wait()
}

// serve answers shoppers until ctx ends, and returns when the last one has its page or the time for that is over.
func (e *Edge) serve(ctx context.Context) error {
	defer e.forgetShoppers()
	stopped := make(chan struct{})
	keep := context.AfterFunc(ctx, func() {
		defer close(stopped)
		e.stopping.Store(true)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), 4*drain(e.config.Delivery.ShutdownGrace))
		defer cancel()
		if e.server.Shutdown(patience) != nil {
			e.log.Warn("requests were cut off: they took longer than a stop may")
			_ = e.server.Close()
		}
	})
	var err error
	if e.server.TLSConfig == nil {
		err = e.server.Serve(e.listener)
	} else {
		err = e.server.ServeTLS(e.listener, "", "")
	}
	if !keep() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("capture.listen %s: %w", e.Addr(), err)
}

var errStopping = errors.New("stopping: no more requests are taken")

// ready is the capture's, which goes on while the last requests end, and whether shoppers are let in.
func (e *Edge) ready() []console.Check {
	all := checks(e.capture.Ready())
	for i := range all {
		if e.stopping.Load() && all[i].Err == nil {
			all[i].Err = errStopping
		}
	}
	return all
}

func checks(from []capture.Check) []console.Check {
	all := make([]console.Check, len(from))
	for i, check := range from {
		all[i] = console.Check(check)
	}
	return all
}
