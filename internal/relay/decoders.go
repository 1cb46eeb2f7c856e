package relay

import (
	"fmt"
	"net/http"

	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
)

// Decoders read orders and clicks as they are configured. The registry is asked through transport, nil for the
// network, and only where a topic is in Avro.
func Decoders(cfg config.Config, transport http.RoundTripper) (schema.OrderDecoder, schema.ClickDecoder, error) {
	var registry *schema.Registry
	if cfg.Orders.Format == config.Avro || cfg.Clicks.Format == config.Avro {
		client, err := sr.NewClient(sr.URLs(cfg.Registry.URL), sr.HTTPClient(&http.Client{Timeout: cfg.Registry.Timeout, Transport: transport}))
		if err != nil {
			return nil, nil, fmt.Errorf("registry: %w", err)
		}
		registry = schema.NewRegistry(client)
	}
	orders, err := schema.NewOrderDecoder(cfg.Orders.Format, registry, schema.MaxBytes(int(cfg.Orders.MaxOrderBytes)))
	if err != nil {
		return nil, nil, err
	}
	clicks, err := schema.NewClickDecoder(cfg.Clicks.Format, registry)
	return orders, clicks, err
}
