package kafkatest

import (
	"testing"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/cjrelay/cjrelay/schema"
)

// The ids under which Registry knows our two schemas.
const (
	OrderSchemaID = 1
	ClickSchemaID = 2
)

// Registry serves a schema registry that knows our two schemas, until the test ends.
func Registry(t testing.TB) *srfake.Registry {
	t.Helper()
	registry := srfake.New()
	t.Cleanup(registry.Close)
	registry.SeedSchema("order.confirmed-value", 1, OrderSchemaID, sr.Schema{Schema: schema.OrderConfirmedSchema})
	registry.SeedSchema("cjevent-value", 1, ClickSchemaID, sr.Schema{Schema: schema.CJEventSchema})
	return registry
}
