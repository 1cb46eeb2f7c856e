package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/cjrelay/cjrelay/capture"
	"github.com/cjrelay/cjrelay/internal/config"
)

// proxy stands in front of a shop and changes nothing of what passes: no body is kept, compressed or unpacked, queries
// and host names stay as they came.
type proxy struct {
	httputil.ReverseProxy
	upstream  *url.URL
	trusted   []netip.Prefix
	transport *http.Transport
	log       *slog.Logger
	// hop names this edge to itself.
	hop string
	// failures counts requests that the shop did not answer.
	failures prometheus.Counter
	seldom   rate.Sometimes
}

// complainEvery keeps a shop that is down from filling the log.
const complainEvery = 10 * time.Second

func newProxy(edge config.Capture, log *slog.Logger) (*proxy, error) {
	upstream, err := url.Parse(edge.Upstream)
	if err != nil {
		return nil, errors.New("capture.upstream cannot be read: write it like http://127.0.0.1:3000")
	}
	p := &proxy{
		upstream: upstream, trusted: edge.Proxies(), transport: newTransport(), log: log, hop: newHop(), seldom: rate.Sometimes{Interval: complainEvery},
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cjrelay_capture_upstream_failures_total", Help: "Requests that the shop did not answer; the shopper got 502, 504 or 508.",
		}),
	}
	p.ReverseProxy = httputil.ReverseProxy{
		Rewrite: p.rewrite, Transport: p.transport, ErrorHandler: p.fail, ErrorLog: serverLog(log),
		// Server-sent events and long polls must not wait in a buffer.
		FlushInterval: -1,
	}
	return p, nil
}

// newTransport is how the shop is asked.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext: (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		// Else it would ask for gzip by itself and unpack it.
		DisableCompression: true,
		ForceAttemptHTTP2:  true,
		// A shop that closes a connection just when a request is put on it costs that request: POST is not tried
		// again. So ours end first; the shortest usual patience of a shop's server is gunicorn's two seconds.
		IdleConnTimeout:     1500 * time.Millisecond,
		MaxIdleConnsPerHost: 1024,
		// The shop may refuse an upload before it comes, and gets it all the same when it says nothing.
		ExpectContinueTimeout: time.Second,
		TLSHandshakeTimeout:   10 * time.Second,
	}
}

// rewrite makes the shop's request of the shopper's.
func (p *proxy) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(p.upstream)
	r.Out.Host = r.In.Host
	// Without this, parameters that Go cannot read would be dropped, which the shop may read very well.
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	// What a client writes there itself is dropped before.
	trusted := capture.FromProxy(r.In, p.trusted)
	if trusted {
		r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
	}
	r.SetXForwarded()
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto"} {
		if said, ok := r.In.Header[name]; ok && trusted {
			r.Out.Header[name] = said
		}
	}
	r.Out.Header[hopHeader] = append(slices.Clone(r.In.Header[hopHeader]), p.hop)
}

// fail answers when the shop does not. The cookies are set all the same: the shopper will try again.
func (p *proxy) fail(w http.ResponseWriter, r *http.Request, err error) {
	status := http.StatusBadGateway
	var network net.Error
	if errors.As(err, &network) && network.Timeout() {
		status = http.StatusGatewayTimeout
	}
	// A shopper who has gone away says nothing about the shop.
	if !errors.Is(r.Context().Err(), context.Canceled) {
		p.failures.Inc()
		p.seldom.Do(func() {
			p.log.Warn("the shop does not answer", "upstream", p.upstream.Host, "error", unquoted(err.Error()))
		})
	}
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, fmt.Sprintf("%d: the shop does not answer", status), status)
}

// close ends the connections to the shop that nobody uses.
func (p *proxy) close() { p.transport.CloseIdleConnections() }
