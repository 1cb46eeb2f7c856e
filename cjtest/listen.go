package cjtest

import (
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// listener is the HTTP server of a Server made by Start.
type listener struct {
	url    string
	server *http.Server
	served chan struct{} // closed when Serve has returned

	// conns counts connections that the HTTP server owns, requests the handlers at work; one that took over its
	// connection outlives it. Close waits for served, then conns, then requests: none can begin any more where
	// it has come to wait for them.
	conns, requests sync.WaitGroup
}

// Start makes a fake CJ that listens on 127.0.0.1 and a free port, or where WithListen says. The error tells
// why it cannot listen there.
func Start(opts ...Option) (*Server, error) {
	s := New(opts...)
	tcp, err := net.Listen("tcp", s.listen)
	if err != nil {
		return nil, fmt.Errorf("fake CJ cannot listen: %w", err)
	}
	l := &listener{url: "http://" + tcp.Addr().String(), served: make(chan struct{})}
	l.server = &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			l.requests.Add(1)
			defer l.requests.Done()
			s.ServeHTTP(w, r)
		}),
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				l.conns.Add(1)
			case http.StateHijacked, http.StateClosed:
				l.conns.Done()
			}
		},
	}
	s.listener = l
	go func() {
		defer close(l.served)
		_ = l.server.Serve(tcp) // returns when Close closes it
	}()
	return s, nil
}

// URL returns the address of a server made by Start, for example "http://127.0.0.1:8085", and nothing for one
// made by New.
func (s *Server) URL() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.url
}

// Endpoint returns the address of the postback endpoint of a server made by Start, for example
// "http://127.0.0.1:8085/u".
func (s *Server) Endpoint() string { return s.URL() + Path }

// Close ends requests that wait, hang or trickle, without an answer. A server made by Start also stops listening,
// closes its connections and returns when no request is running any more. What was received stays readable.
// Closing twice is harmless.
func (s *Server) Close() {
	s.close.Do(func() { close(s.closing) })
	if l := s.listener; l != nil {
		_ = l.server.Close()
		<-l.served
		l.conns.Wait()
		l.requests.Wait()
	}
}
