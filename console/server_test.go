package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

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
	request, err := http.NewRequestWithContext(t.Context(), method, "http://admin"+path, nil)
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

func TestPages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path string
		status       int
		contentType  string
		body         string
	}{
		"Alive":                {"GET", "/livez", 200, "text/plain; charset=utf-8", "ok\n"},
		"AliveAskedWithHead":   {"HEAD", "/livez", 200, "text/plain; charset=utf-8", ""},
		"Ready":                {"GET", "/readyz", 200, "text/plain; charset=utf-8", "ready\n"},
		"ReadyAskedWithHead":   {"HEAD", "/readyz", 200, "text/plain; charset=utf-8", ""},
		"Version":              {"GET", "/version", 200, "application/json", "{\"version\":\"1.2.3\"}\n"},
		"Config":               {"GET", "/config", 200, "application/yaml", "cj:\n  signature: (16 characters)\n"},
		"UnknownPath":          {"GET", "/nowhere", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		"TheRootIsNotThereYet": {"GET", "/", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		"BelowAPage":           {"GET", "/livez/more", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		"UnknownPathPosted":    {"POST", "/nowhere", 404, "text/plain; charset=utf-8", "404 page not found\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				response, body := setup(t, "127.0.0.1", nil).ask(t, test.method, test.path, "")
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.contentType, response.Header.Get("Content-Type"))
				require.Equal(t, test.body, body)
			})
		})
	}
	t.Run("Metrics", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			response, body := setup(t, "127.0.0.1", nil).ask(t, "GET", "/metrics", "")
			require.Equal(t, 200, response.StatusCode)
			require.Contains(t, body, "\ncjrelay_orders_total 42\n")
		})
	})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		t.Run("Not"+method, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, "127.0.0.1", nil)
				for _, path := range []string{"/livez", "/readyz", "/metrics", "/version", "/config"} {
					response, _ := b.ask(t, method, path, "")
					require.Equal(t, 405, response.StatusCode, path)
					require.Equal(t, "GET, HEAD", response.Header.Get("Allow"), path)
				}
			})
		})
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	broken := errors.New("no answer from 127.0.0.1:9092")
	tests := map[string]struct {
		checks []Check
		query  string
		status int
		body   string
	}{
		"AllHold":             {[]Check{{"group", nil}, {"clicks", nil}}, "", 200, "ready\n"},
		"AllHoldVerbose":      {[]Check{{"group", nil}, {"clicks", nil}}, "?verbose", 200, "[+] group\n[+] clicks\nready\n"},
		"VerboseWithAValue":   {[]Check{{"group", nil}}, "?verbose=1", 200, "[+] group\nready\n"},
		"OneDoesNot":          {[]Check{{"group", broken}, {"clicks", nil}}, "", 503, "[-] group: no answer from 127.0.0.1:9092\nnot ready\n"},
		"OneDoesNotVerbose":   {[]Check{{"clicks", nil}, {"group", broken}}, "?verbose", 503, "[+] clicks\n[-] group: no answer from 127.0.0.1:9092\nnot ready\n"},
		"SeveralReasonsInOne": {[]Check{{"offsets", errors.Join(errors.New("partition 1"), errors.New("partition 2"))}}, "", 503, "[-] offsets: partition 1; partition 2\nnot ready\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, "127.0.0.1", func(c *Config) { c.Ready = func() []Check { return test.checks } })
				response, body := b.ask(t, "GET", "/readyz"+test.query, "")
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.body, body)
			})
		})
	}
	t.Run("IsAskedEachTime", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var err error
			b := setup(t, "127.0.0.1", func(c *Config) { c.Ready = func() []Check { return []Check{{"group", err}} } })
			for _, err = range []error{nil, broken, nil} {
				response, _ := b.ask(t, "GET", "/readyz", "")
				require.Equal(t, err == nil, response.StatusCode == 200)
			}
		})
	})
}

func TestConfigIsGuarded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ip, token, authorization string
		status                   int
	}{
		"OpenOnLoopback":                {"127.0.0.1", "", "", 200},
		"OpenOnLoopbackOfIPv6":          {"::1", "", "", 200},
		"OpenOnLoopbackThoughATokenSet": {"127.0.0.1", token, "", 200},
		"OpenOnAnotherLoopback":         {"127.3.2.1", "", "", 200},
		"ClosedWithoutToken":            {"0.0.0.0", "", "", 401},
		"ClosedOnEveryInterface":        {"::", token, "", 401},
		"ClosedOnAPrivateAddress":       {"10.0.0.7", token, "", 401},
		"WithTheToken":                  {"10.0.0.7", token, "Bearer " + token, 200},
		"SchemeInAnyCase":               {"10.0.0.7", token, "bearer  " + token, 200},
		"WrongToken":                    {"10.0.0.7", token, "Bearer " + token[1:], 401},
		"LongerToken":                   {"10.0.0.7", token, "Bearer " + token + "x", 401},
		"NoScheme":                      {"10.0.0.7", token, token, 401},
		"AnotherScheme":                 {"10.0.0.7", token, "Basic " + token, 401},
		"SchemeAlone":                   {"10.0.0.7", token, "Bearer", 401},
		"EmptyTokenWhereNoneIsSet":      {"10.0.0.7", "", "Bearer ", 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, test.ip, func(c *Config) { c.Token = test.token })
				response, body := b.ask(t, "GET", "/config", test.authorization)
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.status == 200, strings.Contains(body, "signature"))
				if test.status == 401 {
					require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
					require.Contains(t, body, "admin.token")
				}
				for _, open := range []string{"/livez", "/readyz", "/metrics", "/version"} {
					response, _ := b.ask(t, "GET", open, "")
					require.Equal(t, 200, response.StatusCode, open)
				}
			})
		})
	}
}

func TestNoAnswerShowsTheToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "10.0.0.7", func(c *Config) { c.Token = token })
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, path := range []string{"/", "/livez", "/readyz?verbose", "/metrics", "/version", "/config", "/nowhere"} {
				for _, authorization := range []string{"", "Bearer " + token, "Basic " + token, "Bearer x" + token} {
					response, body := b.ask(t, method, path, authorization)
					head, err := httputil.DumpResponse(response, false)
					require.NoError(t, err)
					require.NotContains(t, string(head)+body, token, "%s %s", method, path)
				}
			}
		}
	})
}

// A client that sends or reads slowly, or not at all, is cut off. Else such clients would pile up.
func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	const get = "GET /livez HTTP/1.1\r\nHost: admin\r\n\r\n"
	tests := map[string]struct {
		// begin is sent at once; then its answer is read, when there is one to read; then trickle is sent
		// each second.
		begin    string
		answered bool
		trickle  string
		after    time.Duration
	}{
		"SaysNothing":        {"", false, "", readHeaderTimeout},
		"EndlessHeader":      {"GET /livez HTTP/1.1\r\nHost: admin\r\nX: ", false, "x", readHeaderTimeout},
		"EndlessBody":        {"POST /livez HTTP/1.1\r\nHost: admin\r\nContent-Length: 1000\r\n\r\n", true, "x", readTimeout},
		"NeverReadsMetrics":  {"GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n", false, "", writeTimeout},
		"KeepsAnIdleOneOpen": {get, true, "", idleTimeout},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				conn, cutOff, err := setup(t, "127.0.0.1", nil).pipes.open()
				require.NoError(t, err)
				defer conn.Close()
				start := time.Now()
				if test.begin != "" {
					_, err = io.WriteString(conn, test.begin)
					require.NoError(t, err)
				}
				if test.answered {
					response, err := http.ReadResponse(bufio.NewReader(conn), nil)
					require.NoError(t, err)
					_, err = io.Copy(io.Discard, response.Body)
					require.NoError(t, err)
				}
				for over := false; !over; {
					select {
					case <-cutOff:
						over = true
					case <-time.After(time.Second):
						require.Less(t, time.Since(start), time.Hour, "never cut off")
						_ = conn.SetWriteDeadline(time.Now().Add(time.Millisecond))
						if test.trickle != "" {
							_, _ = io.WriteString(conn, test.trickle)
						}
					}
				}
				require.InDelta(t, test.after.Seconds(), time.Since(start).Seconds(), 1)
			})
		})
	}
}

func TestServeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	t.Run("AtOnceWhenNothingIsInFlight", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", nil)
			b.ask(t, "GET", "/livez", "") // leaves an idle connection
			synctest.Wait()
			start := time.Now()
			b.stop()
			<-b.served
			require.NoError(t, b.err)
			require.Zero(t, time.Since(start))
			_, err := b.client.Get("http://admin/livez")
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	})
	t.Run("AfterRequestsInFlight", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Ready = func() []Check {
					time.Sleep(grace / 2)
					return nil
				}
			})
			bodies := make(chan string, 1)
			go func() {
				_, body := b.ask(t, "GET", "/readyz", "")
				bodies <- body
			}()
			synctest.Wait()
			b.stop()
			<-b.served
			require.NoError(t, b.err)
			require.Equal(t, "ready\n", <-bodies)
		})
	})
	t.Run("WithinASecondWhateverClientsDo", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", nil)
			var cutOff []<-chan struct{}
			for _, begin := range []string{"", "GET /live", "GET /metrics HTTP/1.1\r\nHost: admin\r\n\r\n"} {
				conn, closed, err := b.pipes.open()
				require.NoError(t, err)
				defer conn.Close()
				if begin != "" {
					_, err = io.WriteString(conn, begin)
					require.NoError(t, err)
				}
				cutOff = append(cutOff, closed)
			}
			synctest.Wait()
			start := time.Now()
			b.stop()
			<-b.served
			require.NoError(t, b.err)
			require.LessOrEqual(t, time.Since(start), grace)
			for _, closed := range cutOff {
				<-closed
			}
			require.LessOrEqual(t, time.Since(start), grace, "connections stayed open")
		})
	})
	t.Run("WhenItWasOverBefore", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			pipes := newPipes("127.0.0.1")
			require.NoError(t, newServer(Config{Metrics: prometheus.NewRegistry()}, pipes).Serve(ctx))
			_, err := pipes.dial(t.Context(), "", "")
			require.ErrorIs(t, err, syscall.ECONNREFUSED)
		})
	})
	t.Run("WithAnErrorWhenThePortBreaks", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", nil)
			require.NoError(t, b.pipes.Close())
			<-b.served
			require.ErrorIs(t, b.err, net.ErrClosed)
			require.ErrorContains(t, b.err, "admin port 127.0.0.1:9644")
		})
	})
}

func TestListen(t *testing.T) {
	t.Parallel()
	t.Run("ServesOnItsAddress", func(t *testing.T) {
		t.Parallel()
		server, err := Listen(Config{Listen: "127.0.0.1:0", Metrics: prometheus.NewRegistry()})
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- server.Serve(ctx) }()
		client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
		response, err := client.Get("http://" + server.Addr() + "/livez")
		require.NoError(t, err)
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, "ok\n", string(body))
		cancel()
		require.NoError(t, <-served)
		again, err := net.Listen("tcp", server.Addr())
		require.NoError(t, err, "the port is free again")
		require.NoError(t, again.Close())
	})
	t.Run("NamesTheKeyWhenTheAddressIsInUse", func(t *testing.T) {
		t.Parallel()
		other, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer other.Close()
		_, err = Listen(Config{Listen: other.Addr().String(), Token: token, Metrics: prometheus.NewRegistry()})
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, "admin.listen \""+other.Addr().String()+"\"")
		require.ErrorContains(t, err, "choose another address or stop what uses it")
		require.NotContains(t, err.Error(), token)
	})
	t.Run("NamesTheKeyWhenTheAddressIsNone", func(t *testing.T) {
		t.Parallel()
		_, err := Listen(Config{Listen: "127.0.0.1", Metrics: prometheus.NewRegistry()})
		require.ErrorContains(t, err, `admin.listen "127.0.0.1": `)
		require.ErrorContains(t, err, "use host:port")
	})
}
