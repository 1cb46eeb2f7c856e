package postback

import (
	"net/http/httptrace"
	"sync/atomic"
)

// requests watches what one attempt sends. When a connection kept from an earlier order turns out to be dead before
// the answer's first byte, net/http repeats the GET by itself on the next one. That is welcome, since a restart on CJ's
// side would otherwise look like as many failures as there were kept connections; but left alone it goes on for as
// long as there are kept connections, and nobody counts what CJ received.
type requests struct {
	client *Client
	// wanted counts the connections asked for, sent the requests that went out. net/http calls from goroutines of its
	// own, also after the attempt is over.
	wanted, sent atomic.Int32
}

// trace has the requests watched.
func (r *requests) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { r.want() },
		GotConn:      r.client.noteConnection,
		WroteHeaders: func() { r.sent.Add(1) },
	}
}

// want is called before each request looks for a connection. Where one that was kept is dead the others hardly live,
// so a repeat gets a new one; and from a new connection net/http repeats nothing.
func (r *requests) want() {
	if r.wanted.Add(1) > 1 {
		r.client.Close()
	}
}

// repeats is how many requests went out before the last one.
func (r *requests) repeats() int { return max(0, int(r.sent.Load())-1) }
