//go:build synctests

package sim

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"

	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// registry is a schema registry without a network: a fake one listens on TCP, which a bubble cannot wait for.
type registry struct {
	fake *srfake.Registry
	away atomic.Bool
}

func newRegistry() *registry {
	fake := srfake.NewRegistry()
	fake.SeedSchema("order.confirmed-value", 1, kafkatest.OrderSchemaID, sr.Schema{Schema: schema.OrderConfirmedSchema})
	fake.SeedSchema("cjevent-value", 1, kafkatest.ClickSchemaID, sr.Schema{Schema: schema.CJEventSchema})
	return &registry{fake: fake}
}

// RoundTrip implements http.RoundTripper.
func (r *registry) RoundTrip(request *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	if r.away.Load() {
		recorder.WriteHeader(http.StatusServiceUnavailable)
		return recorder.Result(), nil
	}
	r.fake.Handler().ServeHTTP(recorder, request)
	return recorder.Result(), nil
}
