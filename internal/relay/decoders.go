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
		client, err := Registry(cfg.Registry, transport)
		if err != nil {
			return nil, nil, err
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

// Registry is how to reach the schema registry, through transport or, where that is nil, over the network.
func Registry(registry config.Registry, transport http.RoundTripper) (*sr.Client, error) {
	client, err := sr.NewClient(sr.URLs(registry.URL), sr.HTTPClient(&http.Client{Timeout: registry.Timeout, Transport: transport}))
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return client, nil
}
