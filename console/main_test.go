package console

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const token = "0123456789abcdef-secret"

// pipes is a listener in memory, with an address of its own choice.
type pipes struct {
	conns   chan net.Conn
	closed  chan struct{}
	address net.Addr
}

func newPipes(ip string) *pipes {
	return &pipes{conns: make(chan net.Conn), closed: make(chan struct{}), address: &net.TCPAddr{IP: net.ParseIP(ip), Port: 9644}}
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return p.address }

func (p *pipes) dial(context.Context, string, string) (net.Conn, error) {
	conn, _, err := p.open()
	return conn, err
}

// open makes a connection, and a channel that is closed when the server has closed its end.
func (p *pipes) open() (net.Conn, <-chan struct{}, error) {
	ours, theirs := net.Pipe()
	watched := &watchedConn{Conn: theirs, closed: make(chan struct{})}
	select {
	case p.conns <- watched:
		return ours, watched.closed, nil
	case <-p.closed:
		return nil, nil, syscall.ECONNREFUSED
	}
}

type watchedConn struct {
	net.Conn
	once   sync.Once
	closed chan struct{}
}

func (c *watchedConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// bundle is a server that runs, with a client to it.
type bundle struct {
	pipes  *pipes
	client *http.Client
	// stop ends Serve; err is what it returned, once served is closed.
	stop   context.CancelFunc
	served chan struct{}
	err    error
}

// setup runs a server in a bubble.
func setup(t *testing.T, ip string, change func(*Config)) *bundle {
	t.Helper()
	registry := prometheus.NewRegistry()
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "cjrelay_orders_total", Help: "Orders."})
	registry.MustRegister(counter)
	counter.Add(42)
	config := Config{
		Metrics: registry, Ready: func() []Check { return nil }, Version: "1.2.3", Settings: []byte("cj:\n  signature: (16 characters)\n"),
	}
	if change != nil {
		change(&config)
	}
	b := &bundle{pipes: newPipes(ip), served: make(chan struct{})}
	transport := &http.Transport{DialContext: b.pipes.dial}
	b.client = &http.Client{Transport: transport}
	server := newServer(config, b.pipes)
	var ctx context.Context
	ctx, b.stop = context.WithCancel(context.Background())
	go func() {
		defer close(b.served)
		b.err = server.Serve(ctx)
	}()
	t.Cleanup(func() {
		b.stop()
		<-b.served
		transport.CloseIdleConnections()
	})
	return b
}

// ask makes one request and returns its answer with the body read.
func (b *bundle) ask(t *testing.T, method, path, authorization string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+path, nil)
	require.NoError(t, err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := b.client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}
