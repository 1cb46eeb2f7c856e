package cjtest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Path is the path of CJ's postback endpoint.
const Path = "/u"

// Server is a fake CJ. It answers a GET of /u
//
//   - 200 when the request keeps the rules, also for a duplicate, of which CJ takes no notice;
//   - 400 with one problem a line when it breaks one (405 when it is no GET), or 200 with WithSilent;
//   - whatever its script says.
//
// It is an http.Handler for any server, and a server of its own when made by Start. Safe for concurrent use.
type Server struct {
	config
	ledger  atomic.Pointer[ledger]
	script  atomic.Pointer[script]
	closing chan struct{}
	close   sync.Once

	listener *listener // nil unless made by Start
}

var _ http.Handler = (*Server)(nil)

// New makes a handler, for example for httptest.NewServer or a server on an in-memory listener. Close it
// before that server: this ends the requests that a script left hanging.
func New(opts ...Option) *Server {
	s := &Server{
		config:  config{listen: "127.0.0.1:0", clock: time.Now, seed: 1},
		closing: make(chan struct{}),
	}
	for _, opt := range opts {
		opt(&s.config)
	}
	s.ledger.Store(newLedger())
	s.Script(s.rules...)
	return s
}

// Script replaces the script; without rules every request is answered as it deserves. The times of its rules
// count from now. A request that is already waiting or hanging goes on under the rule it met. It panics on an
// impossible rule, such as a status of 42; ParseScript returns an error instead.
func (s *Server) Script(rules ...Rule) {
	s.script.Store(newScript(rules, s.clock(), s.seed))
}

// Reset forgets everything received. The script goes on.
func (s *Server) Reset() {
	s.ledger.Swap(newLedger()).retire()
}

// Received returns everything received since the start or the latest Reset, in the order of arrival. A request
// is there from its arrival on; its status follows before its answer goes out.
func (s *Server) Received() []Received { return s.expand(s.ledger.Load().snapshot()) }

// ReceivedOf returns what was received for one order id, in the order of arrival. It is quick however much
// else was received.
func (s *Server) ReceivedOf(orderID string) []Received {
	return s.expand(s.ledger.Load().of(orderID))
}

func (s *Server) expand(entries []entry) []Received {
	received := make([]Received, len(entries))
	for i, e := range entries {
		received[i] = e.received(&s.book)
	}
	return received
}

// Count returns how many requests were received since the start or the latest Reset.
func (s *Server) Count() int { return s.Summary().Requests }

// Summary returns the counts since the start or the latest Reset.
func (s *Server) Summary() Summary { return s.ledger.Load().counted() }

// Acknowledged reports whether, for every one of these order ids, a valid request was answered 2xx.
func (s *Server) Acknowledged(orderIDs ...string) bool {
	ledger := s.ledger.Load()
	return !slices.ContainsFunc(orderIDs, func(id string) bool { return !ledger.acknowledged(id) })
}

// Wait returns when at least n requests have arrived since the start or the latest Reset, whether or not they
// have been answered, or with the context's error when that ends first.
func (s *Server) Wait(ctx context.Context, n int) error {
	for {
		ledger := s.ledger.Load()
		count, arrived := ledger.waiting()
		if count >= n {
			return nil
		}
		if s.ledger.Load() != ledger {
			continue // a Reset came between: nobody would wake us on the old ledger
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ServeHTTP answers the postback endpoint and, under /_cjtest/, people and scripts. Effects that break the
// connection panic with http.ErrAbortHandler, which every net/http server understands.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == Path:
		s.postback(w, r)
	case strings.HasPrefix(r.URL.Path, adminPrefix):
		s.admin(w, r)
	default:
		http.Error(w, "cjtest: nothing here: postbacks go to "+Path+", people to "+adminPrefix, http.StatusNotFound)
	}
}

func (s *Server) postback(w http.ResponseWriter, r *http.Request) {
	at := s.clock()
	script := s.script.Load()
	answer := answer{server: s, w: w, r: r}
	orderID := ""
	if !s.countsOnly {
		orderID = answer.file(at)
	} else {
		answer.receipt = s.ledger.Load().count()
		if script.needsOrder {
			orderID = orderOf(r.URL.RawQuery)
		}
	}
	rule, latency := script.pick(at, orderID)
	answer.give(rule, latency)
}

// orderOf finds the order id where nothing else of a query matters.
func orderOf(query string) string {
	taken := readings.Get().(*reading)
	defer taken.release()
	taken.take(query)
	return taken.values[oid]
}
