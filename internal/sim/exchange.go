//go:build synctests

package sim

import (
	"context"
	"net"
	"sync"
)

// exchange is a net.Listener that is called through pipes. Whoever calls is known by name: it is the address that the
// server sees.
type exchange struct {
	calls  chan net.Conn
	closed chan struct{}
	close  sync.Once
}

var _ net.Listener = (*exchange)(nil)

func newExchange() *exchange {
	return &exchange{calls: make(chan net.Conn), closed: make(chan struct{})}
}

// dialer is how one caller reaches the exchange.
func (e *exchange) dialer(caller string) dialFunc {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case e.calls <- call{far, name(caller)}:
			return near, nil
		case <-e.closed:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Accept implements net.Listener.
func (e *exchange) Accept() (net.Conn, error) {
	select {
	case c := <-e.calls:
		return c, nil
	case <-e.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (e *exchange) Close() error {
	e.close.Do(func() { close(e.closed) })
	return nil
}

// Addr implements net.Listener.
func (e *exchange) Addr() net.Addr { return name("exchange") }

// call is a connection with its caller's name.
type call struct {
	net.Conn
	from name
}

// RemoteAddr implements net.Conn.
func (c call) RemoteAddr() net.Addr { return c.from }

// name is an address on the exchange.
type name string

// Network implements net.Addr.
func (name) Network() string { return "sim" }

// String implements net.Addr.
func (n name) String() string { return string(n) }
