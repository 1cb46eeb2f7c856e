package relay

import (
	"context"
	"net"
	"net/http"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Wiring puts a relay on another network, so that a simulation can run the real assembly. The zero value is the
// network of this machine.
type Wiring struct {
	// Kafka are further options of every Kafka client, such as how to dial a broker.
	Kafka []kgo.Opt
	// CJ opens connections to CJ's endpoint; nil means TCP.
	CJ func(ctx context.Context, network, address string) (net.Conn, error)
	// Registry makes the requests to the schema registry; nil means HTTP over TCP.
	Registry http.RoundTripper
}
