package edge

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/cjrelay/cjrelay/capture"
)

// originalURI is the header with the address that the shopper asked for, as nginx's users name it. Without it the
// request's own query is the shopper's.
const originalURI = "X-Original-Uri"

// cookieHeader, with a number from 1, carries the same as one Set-Cookie line each: nginx cannot copy more than one line
// of a header.
const cookieHeader = "Cjrelay-Set-Cookie-"

// endpoint answers proxies that ask, for each request of a shopper, which cookies to add to the response. The answer is
// 200 whatever is asked and whoever asks: nginx takes all but 2xx, and Envoy all but 200, for a refusal of the page.
type endpoint struct {
	capture *capture.Capture
	trusted []netip.Prefix
	log     *slog.Logger
	// untrusted counts what others asked, who may be shoppers that write such headers themselves.
	untrusted prometheus.Counter
	seldom    rate.Sometimes
}

func newEndpoint(clicks *capture.Capture, trusted []netip.Prefix, log *slog.Logger) *endpoint {
	return &endpoint{
		capture: clicks, trusted: trusted, log: log, seldom: rate.Sometimes{Interval: complainEvery},
		untrusted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "cjrelay_capture_untrusted_total", Help: "Questions to the endpoint from addresses outside of capture.trusted_proxies, which caught nothing.",
		}),
	}
}

// ServeHTTP implements http.Handler.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if capture.FromProxy(r, e.trusted) {
		e.catch(w.Header(), r)
	} else {
		e.untrusted.Inc()
		e.seldom.Do(func() {
			e.log.Warn("asked by an address that is not trusted: nothing is caught", "address", r.RemoteAddr, "setting", "capture.trusted_proxies")
		})
	}
	w.WriteHeader(http.StatusOK)
}

// catch makes the shopper's own request out of the proxy's and adds the cookies.
func (e *endpoint) catch(header http.Header, r *http.Request) {
	shopper := *r
	query := r.URL.RawQuery
	if uri, given := r.Header[originalURI]; given {
		_, query, _ = strings.Cut(uri[0], "?")
	}
	shopper.URL = &url.URL{Path: "/", RawQuery: query}
	e.capture.Catch(&shopper, header)
	for i, line := range header["Set-Cookie"] {
		header.Set(fmt.Sprint(cookieHeader, i+1), line)
	}
}
