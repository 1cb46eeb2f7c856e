package edge

import (
	"bufio"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

func TestProxyCatchesAClick(t *testing.T) {
	t.Parallel()

	t.Run("AcrossARedirectThatDropsTheQuery", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.SetCookie(w, &http.Cookie{Name: "sid", Value: "s-1"})
			http.Redirect(w, r, "/home", http.StatusMovedPermanently)
		}))
		response, _ := s.ask(t, http.MethodGet, "/?CJEvent="+click)
		require.Equal(t, http.StatusMovedPermanently, response.StatusCode)
		require.Equal(t, "/home", response.Header.Get("Location"))
		require.Equal(t, click, cookieOf(t, response, "cje").Value)
		require.Contains(t, s.clicks(t, 1)["s-1"], click)
	})

	t.Run("WhenTheShopDoesNotAnswer", func(t *testing.T) {
		t.Parallel()
		s := open(t, nil, func(c *config.Config) { c.Capture.Upstream = "http://" + nobody(t) })
		response, body := s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
		require.Equal(t, http.StatusBadGateway, response.StatusCode)
		require.Equal(t, "502: the shop does not answer\n", body)
		require.Equal(t, click, cookieOf(t, response, "cje").Value)
		require.Contains(t, s.clicks(t, 1)["s-1"], click)
		require.Equal(t, "1", s.metric(t, "cjrelay_capture_upstream_failures_total"))
		require.NotContains(t, s.log.String(), click)
	})

	t.Run("OfAHead", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "1234") }))
		response, body := s.ask(t, http.MethodHead, "/?cjevent="+click, "Cookie: sid=s-1")
		require.Equal(t, int64(1234), response.ContentLength)
		require.Empty(t, body)
		require.Equal(t, click, cookieOf(t, response, "cje").Value)
	})

	t.Run("WithAllFormatsOfTheTopic", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.NotFoundHandler(), func(c *config.Config) { c.Clicks.Format = config.BareClick })
		s.ask(t, http.MethodGet, "/?cjevent="+click, "Cookie: sid=s-1")
		require.Equal(t, click, s.clicks(t, 1)["s-1"])
	})
}

// nobody is an address where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

func TestProxyPassesRequestsAsTheyCame(t *testing.T) {
	t.Parallel()

	t.Run("LineAndHeader", func(t *testing.T) {
		t.Parallel()
		got := make(chan *http.Request, 1)
		s := open(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r }))
		// What Go's client would never send is written by hand.
		connection, err := net.Dial("tcp", s.edge.Addr())
		require.NoError(t, err)
		defer connection.Close()
		_, err = io.WriteString(connection, "GET //a%2Fb/../c?x=%zz&y;z&cjevent="+click+" HTTP/1.1\r\nHost: Shop.Example.com:81\r\nX-Own: 1\r\nX-Own: 2\r\n"+
			"Connection: close, X-Hop\r\nX-Hop: secret\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode)
		r := <-got
		require.Equal(t, "//a%2Fb/../c?x=%zz&y;z&cjevent="+click, r.RequestURI)
		require.Equal(t, "Shop.Example.com:81", r.Host)
		require.Len(t, r.Header[hopHeader], 1)
		r.Header.Del(hopHeader)
		require.Equal(t, http.Header{"X-Own": {"1", "2"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {"Shop.Example.com:81"}, "X-Forwarded-Proto": {"http"}}, r.Header)
	})

	t.Run("Trailers", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Trailer", "X-Sum")
			_, _ = io.WriteString(w, "body")
			w.Header().Set("X-Sum", "7")
		}))
		response, _ := s.ask(t, http.MethodGet, "/?cjevent="+click)
		require.Equal(t, "7", response.Trailer.Get("X-Sum"))
	})

	t.Run("CompressedBodies", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Asked", r.Header.Get("Accept-Encoding"))
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			_, _ = io.WriteString(zip, "page")
			_ = zip.Close()
		}))
		response, body := s.ask(t, http.MethodGet, "/?cjevent="+click)
		require.Empty(t, response.Header.Get("X-Asked"))
		require.Equal(t, "gzip", response.Header.Get("Content-Encoding"))
		unzip, err := gzip.NewReader(strings.NewReader(body))
		require.NoError(t, err)
		page, err := io.ReadAll(unzip)
		require.NoError(t, err)
		require.Equal(t, "page", string(page))
	})

	t.Run("EarlyHints", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</style.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		}))
		var hints []string
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, header.Get("Link"), header.Get("Set-Cookie")))
				return nil
			},
		}), http.MethodGet, s.url("/?cjevent="+click), nil)
		require.NoError(t, err)
		response, _ := do(t, shopper(t), request)
		require.Equal(t, []string{"103</style.css>; rel=preload"}, hints)
		require.Equal(t, click, cookieOf(t, response, "cje").Value)
	})
}

func TestProxyKeepsNothingBack(t *testing.T) {
	t.Parallel()

	// Each side goes on only when it has the other's last word: with any buffer between them this would stand still.
	t.Run("OfAnUploadAndItsAnswer", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			control := http.NewResponseController(w)
			if control.EnableFullDuplex() != nil || control.Flush() != nil {
				return
			}
			lines := bufio.NewScanner(r.Body)
			for lines.Scan() {
				fmt.Fprintln(w, "got", lines.Text())
				_ = control.Flush()
			}
		}), withTLS)
		upload, words := io.Pipe()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url("/?cjevent="+click), upload)
		require.NoError(t, err)
		response, err := shopper(t).Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, 2, response.ProtoMajor)
		require.Equal(t, click, cookieOf(t, response, "cje").Value)
		answers := bufio.NewScanner(response.Body)
		for i := range 3 {
			_, err := fmt.Fprintln(words, i)
			require.NoError(t, err)
			require.True(t, answers.Scan())
			require.Equal(t, fmt.Sprint("got ", i), answers.Text())
		}
		require.NoError(t, words.Close())
		require.False(t, answers.Scan())
	})

	t.Run("OfServerSentEvents", func(t *testing.T) {
		t.Parallel()
		next := make(chan struct{})
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for i := range 3 {
				fmt.Fprintf(w, "data: %d\n\n", i)
				_ = http.NewResponseController(w).Flush()
				<-next
			}
		}))
		response, err := shopper(t).Get(s.url("/?cjevent=" + click))
		require.NoError(t, err)
		defer response.Body.Close()
		events := bufio.NewScanner(response.Body)
		for i := range 3 {
			require.True(t, events.Scan())
			require.Equal(t, fmt.Sprint("data: ", i), events.Text())
			require.True(t, events.Scan())
			next <- struct{}{}
		}
		require.False(t, events.Scan())
	})

	// Go's proxy would flush what has no length by itself.
	t.Run("OfAPageWhoseLengthIsKnown", func(t *testing.T) {
		t.Parallel()
		next := make(chan struct{})
		s := open(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "first")
			_ = http.NewResponseController(w).Flush()
			<-next
			_, _ = io.WriteString(w, "later")
		}))
		response, err := shopper(t).Get(s.url("/?cjevent=" + click))
		require.NoError(t, err)
		defer response.Body.Close()
		part := make([]byte, 5)
		_, err = io.ReadFull(response.Body, part)
		require.NoError(t, err)
		require.Equal(t, "first", string(part))
		close(next)
		rest, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, "later", string(rest))
	})

	t.Run("OfAWebsocket", func(t *testing.T) {
		t.Parallel()
		s := open(t, http.HandlerFunc(echoProtocol))
		conn, answers := upgrade(t, s, "/socket?cjevent="+click)
		for _, word := range []string{"one\n", "two\n"} {
			_, err := io.WriteString(conn, word)
			require.NoError(t, err)
			echo, err := answers.ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, word, echo)
		}
	})
}

// echoProtocol switches to a protocol that says everything back.
func echoProtocol(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "echo" {
		http.Error(w, "not an upgrade", http.StatusBadRequest)
		return
	}
	conn, buffer, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	_, _ = io.Copy(conn, buffer)
}

// upgrade opens a connection of that protocol through the edge.
func upgrade(t *testing.T, s *site, path string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", s.edge.Addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	require.NoError(t, err)
	answers := bufio.NewReader(conn)
	response, err := http.ReadResponse(answers, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	require.Equal(t, "echo", response.Header.Get("Upgrade"))
	return conn, answers
}

func TestProxyBelievesForwardedHeadersOnlyOfTrustedProxies(t *testing.T) {
	t.Parallel()
	lines := []string{"X-Forwarded-For: 203.0.113.9", "X-Forwarded-Host: www.example.com", "X-Forwarded-Proto: https", "Host: edge.internal"}
	for name, test := range map[string]struct {
		trusted []string
		want    string
	}{
		"Strangers": {nil, "127.0.0.1|edge.internal|http"},
		"Trusted":   {[]string{"127.0.0.0/8"}, "203.0.113.9, 127.0.0.1|www.example.com|https"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "%s|%s|%s", r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Host"), r.Header.Get("X-Forwarded-Proto"))
			}), func(c *config.Config) {
				c.Capture.TrustedProxies, c.Capture.CookieDomain = test.trusted, ".example.com"
			})
			response, body := s.ask(t, http.MethodGet, "/?cjevent="+click, lines...)
			require.Equal(t, test.want, body)
			want := ""
			if test.trusted != nil {
				want = "example.com"
			}
			require.Equal(t, want, cookieOf(t, response, "cje").Domain, "the cookie is for the host that the shopper asked for")
		})
	}
}

// timeout is an error of a network that took too long.
type timeout struct{}

func (timeout) Error() string   { return "i/o timeout" }
func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return true }

func TestProxyTellsWhyThereIsNoPage(t *testing.T) {
	t.Parallel()
	log := &logText{}
	p, err := newProxy(config.Capture{Upstream: "http://user:password@shop.internal:3000"}, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	t.Cleanup(p.close)
	fail := func(ctx context.Context, err error) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		p.fail(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil), err)
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"), "no cache keeps it")
		return w
	}
	failures := func() float64 {
		registry := prometheus.NewPedanticRegistry()
		require.NoError(t, registry.Register(p.failures))
		families, err := registry.Gather()
		require.NoError(t, err)
		return families[0].GetMetric()[0].GetCounter().GetValue()
	}
	require.Equal(t, http.StatusBadGateway, fail(t.Context(), io.ErrUnexpectedEOF).Code)
	require.Equal(t, http.StatusGatewayTimeout, fail(t.Context(), fmt.Errorf("ask the shop: %w", timeout{})).Code)
	require.Equal(t, 2.0, failures())
	require.Equal(t, 1, strings.Count(log.String(), "does not answer"), "a shop that is down does not fill the log")
	require.NotContains(t, log.String(), "password")
	fail(canceled(t), context.Canceled)
	require.Equal(t, 2.0, failures(), "a shopper who has gone says nothing about the shop")
}

func TestShopIsAskedOnConnectionsThatItStillHas(t *testing.T) {
	t.Parallel()
	transport := newTransport()
	require.Positive(t, transport.IdleConnTimeout)
	require.Less(t, transport.IdleConnTimeout, 2*time.Second, "gunicorn closes after two, and a POST on such a connection is lost")
	require.Nil(t, transport.Proxy, "the shop is next door, whatever HTTP_PROXY says")
}
