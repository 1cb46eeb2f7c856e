package dryrun

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/cjrelay/cjrelay/internal/config"
)

// reachCJ opens a connection to CJ's host as a postback would, and closes it without a request.
func reachCJ(ctx context.Context, cj config.CJ) Check {
	const name = "cj"
	endpoint, err := url.Parse(cj.Endpoint)
	if err != nil {
		return failed(name, fmt.Errorf("cj.endpoint: %w", err))
	}
	port := map[string]string{"https": "443", "http": "80"}[endpoint.Scheme]
	address := net.JoinHostPort(endpoint.Hostname(), cmp.Or(endpoint.Port(), port))
	ctx, cancel := context.WithTimeout(ctx, cj.Timeout)
	defer cancel()
	began := time.Now()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return failed(name, fmt.Errorf("cj.endpoint: %w: is %s open for connections to the outside from here?", err, address))
	}
	defer conn.Close()
	if endpoint.Scheme == "http" {
		return ok(name, "%s takes connections, in clear text; nothing was sent", address)
	}
	secure := tls.Client(conn, &tls.Config{ServerName: endpoint.Hostname()})
	if err := secure.HandshakeContext(ctx); err != nil {
		return failed(name, fmt.Errorf("cj.endpoint: %s takes connections, but TLS fails: %w", address, err))
	}
	state := secure.ConnectionState()
	return ok(name, "%s answers with %s in %d ms, its certificate is valid until %s; nothing was sent", address, tls.VersionName(state.Version),
		time.Since(began).Milliseconds(), state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly))
}
