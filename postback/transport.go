package postback

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// network is the real transport. It is used without http.Client, so nothing follows a redirect, which would
// carry an order to a place that nobody configured, and no error holds the URL.
func (c *Client) network(concurrency int, dial dialFunc) *http.Transport {
	if dial == nil {
		dial = (&net.Dialer{Timeout: c.timeout, KeepAlive: 30 * time.Second}).DialContext
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: refuseProxyAnswer,
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    c.timeout,
		// With fewer idle connections than attempts at once, every burst would open and close connections until
		// the machine runs out of ports.
		MaxIdleConnsPerHost: concurrency,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
		ForceAttemptHTTP2:   true,
		// A connection that died without a word would otherwise swallow attempt after attempt: HTTP/2 keeps it
		// until TCP gives up, which takes a quarter of an hour.
		HTTP2: &http.HTTP2Config{SendPingTimeout: c.timeout, PingTimeout: c.timeout},
	}
}

// refuseProxyAnswer keeps the status of a proxy that does not let us through, which net/http turns into text.
func refuseProxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return &proxyError{status: response.StatusCode}
}
