package edge

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/capture"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// NewCapture makes the capture of a configuration, which goes on producing for as long as drain when it is stopped. It
// opens the spool.
func NewCapture(cfg config.Config, log *slog.Logger, drain time.Duration) (*capture.Capture, error) {
	partitioner, err := schema.NewPartitioner(cfg.Clicks.Partitioner)
	if err != nil {
		return nil, err
	}
	encode, err := encoder(cfg)
	if err != nil {
		return nil, err
	}
	consent, err := consent(cfg.Capture)
	if err != nil {
		return nil, err
	}
	edge := cfg.Capture
	clicks, err := capture.New(capture.Config{
		Client: relay.Kafka(cfg.Kafka), Topic: cfg.Clicks.Topic, Encode: encode, Partitioner: partitioner,
		CookieDomain: edge.CookieDomain, SessionCookie: edge.SessionCookie, SessionHeader: edge.SessionHeader, Consent: consent,
		TrustedProxies: edge.Proxies(), Secrets: secrets(edge), ClientRate: edge.ClientRate, ClientBurst: edge.ClientBurst,
		Durable: edge.Durable, Spool: capture.Spool{Dir: edge.SpoolDir, MaxBytes: int64(edge.SpoolMax)}, Drain: drain, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return clicks, nil
}

func encoder(cfg config.Config) (capture.Encoder, error) {
	if cfg.Clicks.Format != config.Avro {
		return capture.NewEncoder(cfg.Clicks.Format, cfg.Clicks.Topic, nil)
	}
	if cfg.Registry.URL == "" {
		// An erasure needs no schema, and may be asked for where nothing else of the edge is set up.
		return func(context.Context, schema.Click) ([]byte, error) {
			return nil, fmt.Errorf("%w: registry.url is not set", schema.ErrUnavailable)
		}, nil
	}
	registry, err := sr.NewClient(sr.URLs(cfg.Registry.URL), sr.HTTPClient(&http.Client{Timeout: cfg.Registry.Timeout}))
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return capture.NewEncoder(cfg.Clicks.Format, cfg.Clicks.Topic, registry)
}

func consent(edge config.Capture) (capture.Consent, error) {
	asked := capture.Consent{Cookie: edge.ConsentCookie, Header: edge.ConsentHeader}
	if edge.ConsentPattern == "" {
		return asked, nil
	}
	pattern, err := regexp.Compile(edge.ConsentPattern)
	if err != nil {
		return asked, fmt.Errorf("capture.consent_pattern: %w", err)
	}
	asked.Pattern = pattern
	return asked, nil
}

// secrets are the one that signs, then the one that is still accepted.
func secrets(edge config.Capture) []string {
	var all []string
	for _, secret := range []config.Secret{edge.Secret, edge.PreviousSecret} {
		if secret != "" {
			all = append(all, secret.Reveal())
		}
	}
	return all
}
