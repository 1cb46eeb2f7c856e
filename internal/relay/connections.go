package relay

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/cjrelay/cjrelay/postback"
)

// connections are the counters of requests to CJ by their connection.
func connections(client *postback.Client) []prometheus.Collector {
	count := func(reused string, value func() uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "cjrelay_cj_connections_total", Help: "Requests to CJ by whether their connection had served others before.",
			ConstLabels: prometheus.Labels{"reused": reused},
		}, func() float64 { return float64(value()) })
	}
	return []prometheus.Collector{
		count("false", func() uint64 { fresh, _ := client.Connections(); return fresh }),
		count("true", func() uint64 { _, reused := client.Connections(); return reused }),
	}
}
