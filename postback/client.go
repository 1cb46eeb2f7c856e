package postback

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"
)

// Defaults of ClientConfig.
const (
	// TimeoutDefault bounds one attempt. CJ documents none; its own clients use 5 to 30 s.
	TimeoutDefault = 10 * time.Second
	// ConcurrencyDefault is the number of connections kept open.
	ConcurrencyDefault = 64
	// UserAgentDefault names the sender to CJ.
	UserAgentDefault = "cjrelay"
)

const (
	// drainBytes and drainTime bound what an answer's body may cost. The status has decided already; reading the
	// rest only keeps the connection for the next order. A body that is longer or slower costs the connection.
	drainBytes = 64 << 10
	drainTime  = 250 * time.Millisecond
)

// ClientConfig says where and how to send.
type ClientConfig struct {
	// Endpoint is an absolute https URL without query, fragment or user, usually EndpointCJ. There is no default:
	// nobody reports orders to CJ by leaving something out. Plain http is only for this machine.
	Endpoint string
	// Timeout bounds one attempt from connecting to the status line. Zero means TimeoutDefault.
	Timeout time.Duration
	// Concurrency is how many attempts the caller makes at once, and so how many idle connections are kept. It
	// limits nothing itself. Zero means ConcurrencyDefault.
	Concurrency int
	// UserAgent is sent with every attempt: visible ASCII and spaces. Empty means UserAgentDefault.
	UserAgent string
	// Dial opens a connection, where that is not to be TCP: in simulations. HTTP on top of it stays as it is. Nil
	// means TCP within Timeout.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Transport replaces the network in tests. It makes one round trip, follows no redirect, and ends when the
	// request's context does. Nil means HTTP/1.1 or HTTP/2 with verified TLS, through the environment's proxy.
	Transport http.RoundTripper
}

// Client sends queries to one endpoint. Any number of goroutines may use it.
type Client struct {
	endpoint  *url.URL
	header    http.Header
	timeout   time.Duration
	transport http.RoundTripper
	// fresh and reused count the requests by what they went out on.
	fresh, reused atomic.Uint64
}

// NewClient checks the configuration; it does not connect. The error is a *schema.FieldError.
func NewClient(config ClientConfig) (*Client, error) {
	endpoint, err := parseEndpoint(config.Endpoint)
	if err != nil {
		return nil, err
	}
	switch {
	case config.Timeout < 0:
		return nil, refuse("timeout", config.Timeout.String(), "must be more than 0, or 0 for the default of 10s")
	case config.Concurrency < 0:
		return nil, refuse("concurrency", strconv.Itoa(config.Concurrency), "must be more than 0, or 0 for the default of 64")
	}
	for _, r := range config.UserAgent {
		if r < ' ' || r > '~' {
			return nil, refuse("user_agent", shown(config.UserAgent), "must be visible ASCII")
		}
	}
	c := &Client{
		endpoint:  endpoint,
		header:    http.Header{"User-Agent": {or(config.UserAgent, UserAgentDefault)}},
		timeout:   or(config.Timeout, TimeoutDefault),
		transport: config.Transport,
	}
	if c.transport == nil {
		c.transport = c.network(or(config.Concurrency, ConcurrencyDefault), config.Dial)
	}
	return c, nil
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Send makes one attempt and says what it means. It returns within the time-out, or at once with Cancelled when
// ctx ends. A 2xx stands from its status line on, whatever becomes of the body or of ctx after it.
//
// One attempt is one HTTP request, unless a connection kept from an earlier order turns out to be dead before the
// answer's first byte: then the same GET goes out once more, on a new connection, and the Answer tells so in Repeats.
func (c *Client) Send(ctx context.Context, q Query) Answer {
	if q.text == "" {
		return Answer{Class: Setup, Err: errors.New("the query is empty: an order that could not be built was sent")}
	}
	// One timer does for both bounds, attempt and body, where two contexts would cost two.
	attempt, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(c.timeout, func() { cancel(errTimedOut) })
	defer timer.Stop()

	made := requests{client: c}
	start := time.Now()
	response, err := c.transport.RoundTrip(c.request(httptrace.WithClientTrace(attempt, made.trace()), q))
	now := time.Now()
	if err != nil {
		answer := c.failed(ctx, attempt, err, now.Sub(start))
		answer.Repeats = made.repeats()
		return answer
	}
	timer.Reset(drainTime)
	answer := read(response, now, now.Sub(start))
	answer.Repeats = made.repeats()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, drainBytes))
	_ = response.Body.Close()
	return answer
}

// request is made by hand: the endpoint was parsed once, and the header, which no transport may change, is shared.
func (c *Client) request(ctx context.Context, q Query) *http.Request {
	address := *c.endpoint
	address.RawQuery = q.text
	request := &http.Request{
		Method: http.MethodGet, URL: &address, Host: address.Host, Header: c.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	return request.WithContext(ctx)
}

// noteConnection counts a request by its connection.
func (c *Client) noteConnection(connection httptrace.GotConnInfo) {
	if connection.Reused {
		c.reused.Add(1)
	} else {
		c.fresh.Add(1)
	}
}

// Connections returns how many requests went out on a connection that was new, and how many on one that had served
// others before; together they are all that had a connection. Where few are reused, something closes
// them, and each order pays for a handshake. Both are 0 with a Transport of the caller's own that is not net/http's.
func (c *Client) Connections() (fresh, reused uint64) { return c.fresh.Load(), c.reused.Load() }

// Close closes the idle connections. Attempts under way go on; end them by their contexts. Later ones open new ones.
func (c *Client) Close() {
	if network, ok := c.transport.(interface{ CloseIdleConnections() }); ok {
		network.CloseIdleConnections()
	}
}
