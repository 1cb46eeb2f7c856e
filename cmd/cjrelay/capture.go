package main

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/edge"
	"github.com/cjrelay/cjrelay/internal/version"
)

// captureCmd is `cjrelay capture`.
type captureCmd struct{ configFlag }

// Run catches clicks until ctx ends and stops gracefully then.
func (c *captureCmd) Run(ctx context.Context, stdio *stdio) error {
	cfg, err := c.load(config.ForCapture)
	if err != nil {
		return err
	}
	log := newLog(stdio.Err, cfg.Log)
	shopEdge, err := edge.New(cfg, log)
	if err != nil {
		return err
	}
	shop := cfg.Capture.Upstream
	if shop == "" {
		shop = "behind the proxies that ask"
	}
	log.Info("cjrelay captures", "version", version.String(), "topic", cfg.Clicks.Topic, "shop", shop, "listen", shopEdge.Addr(), "admin", shopEdge.AdminAddr())
	advise(log, cfg.Capture)

	stopLate := context.AfterFunc(ctx, func() {
		log.Info("stopping: requests under way end first, then their clicks are written", "at_most", cfg.Delivery.ShutdownGrace)
		time.AfterFunc(cfg.Delivery.ShutdownGrace, func() {
			log.Error("did not stop in time; clicks that are in the spool go out at the next start", "shutdown_grace", cfg.Delivery.ShutdownGrace)
			os.Exit(exitFailed)
		})
	})
	defer stopLate()
	if err := shopEdge.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	log.Info("stopped")
	return nil
}

// advise says what works and is most likely not meant.
func advise(log *slog.Logger, shop config.Capture) {
	if shop.SessionCookie == "" && shop.SessionHeader == "" {
		log.Warn("neither capture.session_cookie nor capture.session_header is set: orders must carry the value of the cookie cjrelay_session as their session")
	}
	if shop.CookieDomain == "" {
		log.Warn("capture.cookie_domain is not set: CJ's cookie stays with the host that set it, and CJ asks for the parent domain")
	}
	if slices.ContainsFunc(shop.Proxies(), func(network netip.Prefix) bool { return network.Bits() == 0 }) {
		log.Warn("capture.trusted_proxies holds every address: what shoppers themselves write into X-Forwarded headers and capture.session_header is believed; list your proxies alone")
	}
}
