package chaos

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
)

// Request is one request that CJ received. The answer goes out whether or not the process that asked still lives:
// that CJ has the order and nobody heard of it is what these tests are about.
type Request struct {
	// Relay is the process that made it.
	Relay, OrderID, Query string
	// Arrived and Ended are when it came and when its answer was written, zero while it was not.
	Arrived, Ended time.Time
	// Status is the answer's.
	Status int
}

// Acknowledged tells whether CJ took the order.
func (r Request) Acknowledged() bool { return r.Status/100 == 2 }

// CJ is a strict fake CJ that knows which process asks, and can hold its answers back.
type CJ struct {
	*cjtest.Server
	listener net.Listener
	server   *http.Server
	served   chan struct{}
	closing  chan struct{}

	mu           sync.Mutex
	requests     []*Request
	acknowledged map[string]bool
	holds        []*hold
	// changed is closed and replaced with every arrival and every answer.
	changed chan struct{}
}

// hold keeps the answers of some requests back.
type hold struct {
	of       func(Request) bool
	released chan struct{}
}

// StartCJ listens on the loopback.
func StartCJ() (*CJ, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &CJ{
		Server:   cjtest.New(cjtest.WithEnterpriseIDs(enterpriseID), cjtest.WithActions(saleTracker)),
		listener: listener, served: make(chan struct{}), closing: make(chan struct{}),
		acknowledged: map[string]bool{}, changed: make(chan struct{}),
	}
	c.server = &http.Server{Handler: http.HandlerFunc(c.take), ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(listener) // returns when Close closes it
	}()
	return c, nil
}

// Close ends everything; what was received stays readable.
func (c *CJ) Close() {
	close(c.closing)
	c.Server.Close()
	_ = c.server.Close()
	<-c.served
}

// EndpointFor is where a process of that name sends its postbacks.
func (c *CJ) EndpointFor(relay string) string {
	return "http://" + c.listener.Addr().String() + "/" + relay + cjtest.Path
}

// take answers a request as cjtest does, once nobody holds it.
func (c *CJ) take(w http.ResponseWriter, r *http.Request) {
	relay, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	request := &Request{Relay: relay, OrderID: r.URL.Query().Get("OID"), Query: r.URL.RawQuery, Arrived: time.Now()}
	c.mu.Lock()
	c.requests = append(c.requests, request)
	var held *hold
	for _, h := range c.holds {
		if h.of(*request) {
			held = h
		}
	}
	c.announce()
	c.mu.Unlock()
	if held != nil {
		select {
		case <-held.released:
		case <-c.closing:
			panic(http.ErrAbortHandler)
		}
	}
	r.URL.Path = cjtest.Path
	answer := &statusKeeper{ResponseWriter: w, status: http.StatusOK}
	c.ServeHTTP(answer, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	request.Status, request.Ended = answer.status, time.Now()
	if request.Acknowledged() {
		c.acknowledged[request.OrderID] = true
	}
	c.announce()
}

// announce wakes those who wait. The caller holds mu.
func (c *CJ) announce() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Hold keeps the answers of requests that come from now on back until release is called, which may be called again.
func (c *CJ) Hold(of func(Request) bool) (release func()) {
	h := &hold{of: of, released: make(chan struct{})}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.holds = append(c.holds, h)
	return sync.OnceFunc(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.holds = slices.DeleteFunc(c.holds, func(other *hold) bool { return other == h })
		close(h.released)
	})
}

// Requests are all that arrived, in that order.
func (c *CJ) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Request, len(c.requests))
	for i, r := range c.requests {
		all[i] = *r
	}
	return all
}

// Counts are how many requests arrived and how many distinct orders were acknowledged.
func (c *CJ) Counts() (requests, acknowledged int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.requests), len(c.acknowledged)
}

// Await asks with every arrival and every answer whether it is enough, until it is or ctx ends.
func (c *CJ) Await(ctx context.Context, enough func() bool) error {
	for {
		c.mu.Lock()
		changed := c.changed
		c.mu.Unlock()
		if enough() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// UnderWay is how many requests of a process have no answer yet.
func (c *CJ) UnderWay(relay string) int {
	return c.count(func(r *Request) bool { return r.Relay == relay && r.Ended.IsZero() })
}

// Made is how many requests a process has made.
func (c *CJ) Made(relay string) int {
	return c.count(func(r *Request) bool { return r.Relay == relay })
}

func (c *CJ) count(counts func(*Request) bool) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.requests {
		if counts(r) {
			n++
		}
	}
	return n
}

// statusKeeper remembers what was answered.
type statusKeeper struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (k *statusKeeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController through.
func (k *statusKeeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }
