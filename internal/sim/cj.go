//go:build synctests

package sim

import (
	"io"
	"log"
	"net/http"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
)

// The merchant's account at CJ.
const (
	enterpriseID = "1234567"
	saleTracker  = "398210"
	signature    = "sim-signature-5e1f"
)

// cj is a strict fake CJ behind pipes that also notes who asked.
type cj struct {
	*cjtest.Server
	exchange *exchange
	server   *http.Server
	served   chan struct{}

	mu       sync.Mutex
	requests []*request
}

// request is one postback as it arrived.
type request struct {
	relay     string
	at, ended time.Time
	// status is 0 where no answer went out.
	status int
	query  string
}

func (r *request) acknowledged() bool { return r.status/100 == 2 }

func openCJ(seed uint64) *cj {
	c := &cj{
		Server:   cjtest.New(cjtest.WithEnterpriseIDs(enterpriseID), cjtest.WithActions(saleTracker), cjtest.WithSeed(seed)),
		exchange: newExchange(),
		served:   make(chan struct{}),
	}
	c.server = &http.Server{Handler: http.HandlerFunc(c.serve), ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(c.served)
		_ = c.server.Serve(c.exchange)
	}()
	return c
}

func (c *cj) close() {
	c.Server.Close()
	_ = c.server.Close()
	<-c.served
}

func (c *cj) serve(w http.ResponseWriter, r *http.Request) {
	received := &request{relay: r.RemoteAddr, at: time.Now(), query: r.URL.RawQuery}
	c.mu.Lock()
	c.requests = append(c.requests, received)
	c.mu.Unlock()
	noting := &noting{ResponseWriter: w}
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		received.status, received.ended = noting.status, time.Now()
	}()
	c.ServeHTTP(noting, r)
}

// all are copies of the requests so far, in the order of their arrival.
func (c *cj) all() []request {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]request, len(c.requests))
	for i, r := range c.requests {
		all[i] = *r
	}
	return all
}

// noting is a ResponseWriter that remembers the status.
type noting struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (n *noting) WriteHeader(status int) {
	n.status = status
	n.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (n *noting) Unwrap() http.ResponseWriter { return n.ResponseWriter }
