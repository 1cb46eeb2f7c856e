package postback

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var anyQuery = Query{text: "CID=1&TYPE=2&METHOD=S2S&CJEVENT=c1ick&OID=o"}

// realTransport returns the transport that production uses, for a test to aim elsewhere.
func realTransport(t *testing.T, config ClientConfig) (*Client, *http.Transport) {
	t.Helper()
	client, err := NewClient(config)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client, client.transport.(*http.Transport)
}

// onPipe runs the real transport over a pipe inside a bubble of fake time. serve gets the far end after the
// request was read from it.
func onPipe(t *testing.T, timeout time.Duration, serve func(net.Conn)) *Client {
	t.Helper()
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	client, transport := realTransport(t, ClientConfig{Endpoint: "http://localhost/u", Timeout: timeout})
	transport.DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		serving.Go(func() {
			defer far.Close()
			if _, err := http.ReadRequest(bufio.NewReader(far)); err != nil {
				return
			}
			serve(far)
		})
		return near, nil
	}
	return client
}

// untilClosed waits until the client gives the connection up.
func untilClosed(far net.Conn) { _, _ = far.Read(make([]byte, 1)) }

func TestTimeOut(t *testing.T) {
	t.Parallel()
	for name, partial := range map[string]string{"NoAnswer": "", "HalfAStatusLine": "HTTP/1.1 20", "NoEndOfTheHeader": "HTTP/1.1 200 OK\r\nX: y\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := onPipe(t, 10*time.Second, func(far net.Conn) {
					_, _ = io.WriteString(far, partial)
					untilClosed(far)
				})
				answer := client.Send(t.Context(), anyQuery)
				require.Equal(t, Answer{Class: Retry, Err: answer.Err, Latency: 10 * time.Second}, answer)
				require.EqualError(t, answer.Err, "timed out after 10s")
			})
		})
	}
}

func TestTimeOutWhileConnecting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, transport := realTransport(t, ClientConfig{Endpoint: EndpointCJ})
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		answer := client.Send(t.Context(), anyQuery)
		require.EqualError(t, answer.Err, "timed out after 10s")
		require.Equal(t, Retry, answer.Class)
		require.Equal(t, TimeoutDefault, answer.Latency)
	})
}

func TestTheCallersDeadlineCancels(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		deadline time.Duration
		want     Class
	}{
		"BeforeTheTimeOut": {3 * time.Second, Cancelled},
		"AfterTheTimeOut":  {11 * time.Second, Retry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
				defer cancel()
				answer := onPipe(t, 10*time.Second, untilClosed).Send(ctx, anyQuery)
				require.Equal(t, test.want, answer.Class)
				require.Equal(t, min(test.deadline, 10*time.Second), answer.Latency)
			})
		})
	}
}

// TestASlowBodyCostsTheConnectionNotTheAnswer: the order is acknowledged with the status line, and the caller
// must not wait for the whole time-out to hear it.
func TestASlowBodyCostsTheConnectionNotTheAnswer(t *testing.T) {
	t.Parallel()
	for name, serve := range map[string]func(net.Conn){
		"Hangs": untilClosed,
		"Trickles": func(far net.Conn) {
			for {
				if _, err := io.WriteString(far, "x"); err != nil {
					return
				}
				time.Sleep(drainTime / 10)
			}
		},
	} {
		for line, want := range map[string]Class{"200 OK": Acknowledged, "429 Too Many Requests": Retry, "400 Bad Request": Rejected} {
			t.Run(name+"/"+line, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					const beforeStatus = 2 * time.Second
					client := onPipe(t, 10*time.Second, func(far net.Conn) {
						time.Sleep(beforeStatus)
						_, _ = io.WriteString(far, "HTTP/1.1 "+line+"\r\nContent-Length: 1000\r\nRetry-After: 7\r\n\r\n")
						serve(far)
					})
					start := time.Now()
					answer := client.Send(t.Context(), anyQuery)
					require.Equal(t, want, answer.Class)
					require.Equal(t, beforeStatus, answer.Latency)
					require.Equal(t, want != Acknowledged, answer.RetryAfter == 7*time.Second)
					require.Equal(t, beforeStatus+drainTime, time.Since(start))
				})
			})
		}
	}
}

func TestAnAnswerStandsWhenTheCallerCancelsAfterIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client := onPipe(t, 10*time.Second, func(far net.Conn) {
			_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			// The bubble's clock moves only once the client waits for the body.
			time.Sleep(drainTime / 2)
			cancel()
			untilClosed(far)
		})
		start := time.Now()
		require.Equal(t, Answer{Class: Acknowledged, Status: 200}, client.Send(ctx, anyQuery))
		require.Equal(t, drainTime/2, time.Since(start))
	})
}

func TestBodyIsReadUpToItsLimit(t *testing.T) {
	t.Parallel()
	body := &endlessBody{}
	client, err := NewClient(ClientConfig{Endpoint: EndpointCJ, Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Body: body}, nil
	})})
	require.NoError(t, err)
	require.Equal(t, Acknowledged, client.Send(t.Context(), anyQuery).Class)
	require.Equal(t, drainBytes, body.read)
	require.True(t, body.closed)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type endlessBody struct {
	read   int
	closed bool
}

func (b *endlessBody) Read(p []byte) (int, error) { b.read += len(p); return len(p), nil }
func (b *endlessBody) Close() error               { b.closed = true; return nil }

// TestADeadIdleConnectionIsReplaced: CJ closes idle connections when it likes; the next order must not pay.
func TestADeadIdleConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	client, _ := realTransport(t, ClientConfig{Endpoint: server.URL})
	for range 3 {
		require.Equal(t, Acknowledged, client.Send(t.Context(), anyQuery).Class)
		server.CloseClientConnections()
	}
	require.EqualValues(t, 3, requests.Load())
	fresh, _ := client.Connections()
	require.EqualValues(t, 3, fresh)
}

func tlsServer(t *testing.T, configure func(*httptest.Server)) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Proto)
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if configure != nil {
		configure(server)
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func TestHTTP2(t *testing.T) {
	t.Parallel()
	var protocol atomic.Value
	server := tlsServer(t, func(s *httptest.Server) {
		s.EnableHTTP2 = true
		s.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { protocol.Store(r.Proto) })
	})
	client, transport := realTransport(t, ClientConfig{Endpoint: server.URL})
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for range 3 {
		require.Equal(t, Acknowledged, client.Send(t.Context(), anyQuery).Class)
	}
	require.Equal(t, "HTTP/2.0", protocol.Load())
	fresh, reused := client.Connections()
	require.EqualValues(t, 1, fresh)
	require.EqualValues(t, 2, reused)
}

func TestTLSIsVerified(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		configure func(*httptest.Server)
		trust     bool
		host      string
		want      string
	}{
		{"UnknownAuthority", nil, false, "127.0.0.1", "certificate of CJ's endpoint refused: x509: certificate signed by unknown authority"},
		{"WrongHost", nil, true, "localhost", "certificate of CJ's endpoint refused: x509: certificate is valid for example.com, *.example.com, not localhost"},
		{"TooOld", func(s *httptest.Server) {
			s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		}, true, "127.0.0.1", "the endpoint refused the TLS handshake: tls: protocol version not supported"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			server := tlsServer(t, test.configure)
			client, transport := realTransport(t, ClientConfig{Endpoint: strings.Replace(server.URL, "127.0.0.1", test.host, 1)})
			if test.trust {
				transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
			}
			answer := client.Send(t.Context(), anyQuery)
			require.EqualError(t, answer.Err, test.want)
			require.Equal(t, Retry, answer.Class)
		})
	}
	t.Run("NoTLSAtAll", func(t *testing.T) {
		t.Parallel()
		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		client, _ := realTransport(t, ClientConfig{Endpoint: strings.Replace(server.URL, "http:", "https:", 1)})
		answer := client.Send(t.Context(), anyQuery)
		require.EqualError(t, answer.Err, "the endpoint does not speak TLS")
		require.Equal(t, Retry, answer.Class)
	})
}

func TestAProxyThatRefusesIsNeverTheOrdersFault(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]Class{407: Setup, 403: Setup, 400: Setup, 302: Setup, 502: Retry, 503: Retry, 429: Retry} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			var method atomic.Value
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				method.Store(r.Method)
				w.WriteHeader(status)
			}))
			defer proxy.Close()
			address, err := url.Parse(proxy.URL)
			require.NoError(t, err)
			client, transport := realTransport(t, ClientConfig{Endpoint: EndpointCJ})
			transport.Proxy = http.ProxyURL(address)
			answer := client.Send(t.Context(), anyQuery)
			require.Equal(t, http.MethodConnect, method.Load())
			require.EqualError(t, answer.Err, "the proxy answered "+statusWords(status))
			require.Equal(t, want, answer.Class)
			require.Zero(t, answer.Status, "it is not CJ's")
		})
	}
}

func TestSendsThroughAProxy(t *testing.T) {
	t.Parallel()
	server := tlsServer(t, nil)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The handler returns, so that the server may close, when either side closes.
		far, err := net.Dial("tcp", r.Host)
		if err != nil {
			panic(err)
		}
		defer far.Close()
		near, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		defer near.Close()
		_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			_, _ = io.Copy(far, near)
			_ = far.Close()
		}()
		_, _ = io.Copy(near, far)
	}))
	defer proxy.Close()
	address, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	client, transport := realTransport(t, ClientConfig{Endpoint: server.URL})
	transport.TLSClientConfig.RootCAs = server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	transport.Proxy = http.ProxyURL(address)
	require.Equal(t, Acknowledged, client.Send(t.Context(), anyQuery).Class)
	client.Close()
}

func TestPlainWords(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	for _, test := range []struct {
		err  error
		want string
	}{
		{dial(&net.DNSError{Name: "www.emjcd.com", IsNotFound: true}), "host www.emjcd.com not found"},
		{dial(&net.DNSError{Name: "www.emjcd.com", IsTimeout: true}), "looking up host www.emjcd.com failed"},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused"},
		{dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), "network or host unreachable"},
		{dial(os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)), "this machine is out of ports or file descriptors"},
		{dial(os.NewSyscallError("socket", syscall.EMFILE)), "this machine is out of ports or file descriptors"},
		{dial(os.NewSyscallError("write", syscall.EPIPE)), "connection reset before an answer"},
		{dial(os.ErrDeadlineExceeded), "timed out while connecting"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "long ago"}}, "certificate of CJ's endpoint refused: x509: certificate has expired or is not yet valid: long ago"},
		{&url.Error{Op: "Get", URL: "https://x/u?" + anyQuery.text, Err: errors.New("odd " + anyQuery.text)}, "no valid HTTP answer (*errors.errorString)"},
	} {
		require.Equal(t, test.want, plainWords(test.err))
	}
}
