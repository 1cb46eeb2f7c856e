package capture

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/http/httputil"
	"net/textproto"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

// serve lets a server answer on this machine, with HTTP/2 where asked for.
func serve(t *testing.T, handler http.Handler, http2 bool) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = http2
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}

func fetch(t *testing.T, server *httptest.Server, method string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+"/?cjevent="+clickA, nil)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response, string(body)
}

// However a handler answers, the cookie is in the header.
func TestEveryWayOfAnsweringCarriesTheCookie(t *testing.T) {
	t.Parallel()
	handlers := map[string]func(w http.ResponseWriter, r *http.Request){
		"Nothing": func(http.ResponseWriter, *http.Request) {},
		"Status":  func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) },
		"Body":    func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("body")) },
		"Text":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "body") },
		"Copy":    func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("body")) },
		// As a file does: it has no WriteTo, so that the response's ReadFrom is what copies.
		"File": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.Copy(w, struct{ io.Reader }{strings.NewReader("body")})
		},
		"Flush":      func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); _, _ = w.Write([]byte("body")) },
		"Controller": func(w http.ResponseWriter, _ *http.Request) { _ = http.NewResponseController(w).Flush() },
		"Redirect":   func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusSeeOther) },
		"Content": func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "a.txt", now(), strings.NewReader("body"))
		},
		"NotModified": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) },
		"Hints": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusOK)
		},
	}
	for name, handler := range handlers {
		for protocol, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
			for _, method := range []string{http.MethodGet, http.MethodHead} {
				t.Run(name+"/"+protocol+"/"+method, func(t *testing.T) {
					t.Parallel()
					b := setup(t)
					server := serve(t, b.Middleware(http.HandlerFunc(handler)), http2)
					server.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
					plain := serve(t, http.HandlerFunc(handler), http2)
					plain.Client().CheckRedirect = server.Client().CheckRedirect
					response, body := fetch(t, server, method)
					bare, bareBody := fetch(t, plain, method)
					require.Equal(t, bareBody, body)
					require.Equal(t, bare.StatusCode, response.StatusCode)
					require.Equal(t, bare.ProtoMajor, response.ProtoMajor)
					cookie := setCookie(response, "cje")
					require.NotNil(t, cookie)
					require.Equal(t, clickA, cookie.Value)
					require.Len(t, b.queued(), 1, "once")
				})
			}
		}
	}
}

// Informational responses go out as the shop sends them, without cookies.
func TestEarlyHintsPassAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	goOn := make(chan struct{})
	server := serve(t, b.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</a.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		<-goOn
	})), false)
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		if code != http.StatusEarlyHints || header.Get("Link") == "" || header.Get("Set-Cookie") != "" {
			return errors.New("not as sent")
		}
		close(goOn)
		return nil
	}})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/?cjevent="+clickA, nil)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.NotNil(t, setCookie(response, "cje"))
}

func TestBodiesAreNotHeldBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	goOn := make(chan struct{})
	server := serve(t, b.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("first"))
		w.(http.Flusher).Flush()
		<-goOn
		_, _ = w.Write([]byte("last"))
	})), true)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/?cjevent="+clickA, nil)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	require.NoError(t, err)
	start := make([]byte, 5)
	_, err = io.ReadFull(response.Body, start)
	require.NoError(t, err)
	close(goOn)
	rest, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, "firstlast", string(start)+string(rest))
	require.NoError(t, response.Body.Close())
}

// A reverse proxy switches protocols through us, as websockets do.
func TestSwitchOfProtocolsPasses(t *testing.T) {
	t.Parallel()
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.WriteHeader(http.StatusSwitchingProtocols)
		connection, buffer, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer connection.Close()
		line, _ := buffer.ReadString('\n')
		_, _ = io.WriteString(connection, "echo "+line)
	}))
	t.Cleanup(upstream.Close)
	address, err := url.Parse(upstream.URL)
	require.NoError(t, err)
	b := setup(t)
	server := serve(t, b.Middleware(httputil.NewSingleHostReverseProxy(address)), false)
	connection, err := tls.Dial("tcp", server.Listener.Addr().String(), server.Client().Transport.(*http.Transport).TLSClientConfig)
	require.NoError(t, err)
	defer connection.Close()
	_, err = io.WriteString(connection, "GET /?cjevent="+clickA+" HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	require.NoError(t, err)
	reader := bufio.NewReader(connection)
	response, err := http.ReadResponse(reader, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
	require.Empty(t, response.Header["Set-Cookie"])
	_, err = io.WriteString(connection, "hello\n")
	require.NoError(t, err)
	line, err := reader.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "echo hello\n", line)
}

// The shopper never gets the cookies of such a response. A click that counted as bound by it would be bound to nothing.
func TestSwitchOfProtocolsBindsNothing(t *testing.T) {
	t.Parallel()
	t.Run("WithTheStatus", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.handler = func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusSwitchingProtocols) }
		require.Empty(t, b.browser.get("/?cjevent=" + clickA).Header["Set-Cookie"])
		require.Empty(t, b.queued())
	})
	t.Run("ByAHandlerThatTakesTheConnection", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		inner := b.Middleware(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = connection.Close()
			}
		}))
		answered := make(chan struct{})
		server := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer close(answered)
			inner.ServeHTTP(w, r)
		}), false)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/?cjevent="+clickA, http.NoBody)
		require.NoError(t, err)
		_, err = server.Client().Do(request) //nolint:bodyclose // there is none
		require.Error(t, err)
		<-answered
		require.Empty(t, b.queued())
	})
}

// What a handler may ask the response for is what the server's own has.
func TestResponseHasTheFacesOfTheServers(t *testing.T) {
	t.Parallel()
	faces := func(w http.ResponseWriter) (has [5]bool) {
		_, has[0] = w.(http.Flusher)
		_, has[1] = w.(http.Hijacker)
		_, has[2] = w.(io.ReaderFrom)
		_, has[3] = w.(http.Pusher)
		_, has[4] = w.(io.StringWriter)
		return has
	}
	for protocol, http2 := range map[string]bool{"HTTP1": false, "HTTP2": true} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			seen := make(chan [5]bool, 2)
			look := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { seen <- faces(w) })
			b := setup(t)
			fetch(t, serve(t, look, http2), http.MethodGet)
			fetch(t, serve(t, b.Middleware(look), http2), http.MethodGet)
			require.Equal(t, <-seen, <-seen)
		})
	}
}

// A shop that aborts, or changes its request, does not confuse the edge.
func TestHandlersMayDoAsTheyLike(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler = func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery, r.Host = "", "internal"
		clear(r.Header)
		w.Header().Set("Set-Cookie", "a=b")
	}
	b.browser.has("sid", "s-1")
	response := b.browser.get("/?cjevent=" + clickA)
	require.NotNil(t, setCookie(response, "a"))
	require.Equal(t, "example.com", setCookie(response, "cje").Domain)
	require.Equal(t, []string{"s-1"}, b.queuedSessions())
	b.handler = func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	require.Panics(t, func() { b.browser.get("/?cjevent=" + clickB) })
	require.Empty(t, b.queued())
}

// With the durable setting a bound click is on disk when the response goes out.
func TestDurableResponseWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Durable, c.DurableWait = true, maxDurableWait })
	b.start()
	response := b.browser.get("/?cjevent=" + clickA)
	require.NotNil(t, setCookie(response, cookieCompanion))
	require.Equal(t, 1, b.spool.state().records)
	require.Equal(t, 1.0, b.metric("spooled_total"))
	require.Zero(t, b.metric("undurable_total"))
}

// A disk that does not answer costs a page no more than durable_wait, and the next page tries again.
func TestDurableResponseDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *Config) { c.Durable = true })
		b.browser.has("sid", "s-1")
		began := now()
		response := b.browser.get("/?cjevent=" + clickA) // nothing writes: Run is not called
		require.Equal(t, DurableWaitDefault, now().Sub(began))
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.NotNil(t, setCookie(response, "cje"))
		require.Equal(t, 1.0, b.metric("undurable_total"))
		require.Equal(t, []record{{put, "s-1", clickA, began}}, b.queued())
		b.browser.get("/")
		require.Equal(t, []record{{put, "s-1", clickA, began}}, b.queued(), "again, with its first time")
	})
}

// However many sessions a page binds, it waits once.
func TestDurableResponseWaitsForAllItsSessionsTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *Config) { c.Durable, c.SessionHeader = true, "X-Customer" })
		b.browser.has("sid", "s-1")
		b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Customer", "c-7") }
		began := now()
		require.NotNil(t, setCookie(b.browser.get("/?cjevent="+clickA), "cje")) // nothing writes: Run is not called
		require.Equal(t, DurableWaitDefault, now().Sub(began))
		require.Equal(t, 1.0, b.metric("undurable_total"), "it is one response")
	})
}

// What the disk has is bound, and the rest is tried again by the next page.
func TestDurableResponseBindsWhatIsOnDisk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *Config) { c.Durable, c.SessionHeader = true, "X-Customer" })
		b.browser.has("sid", "s-1")
		b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Customer", "c-7") }
		go func() {
			group, _ := b.queue.take()
			group[0].finish(nil)
		}()
		b.browser.get("/?cjevent=" + clickA)
		require.Equal(t, 1.0, b.metric("undurable_total"))
		b.queued()
		b.browser.get("/")
		require.Equal(t, []string{"c-7"}, b.queuedSessions())
	})
}

func TestCatchTellsWhatBecameOfTheClick(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.ClientBurst, c.ClientRate = 1, 0.001 })
	request := httptest.NewRequest(http.MethodGet, shop+"/?cjevent="+clickA, nil)
	header := http.Header{}
	require.Equal(t, Caught{Clicked: true, Bound: 1}, b.Catch(request, header))
	require.Len(t, header["Set-Cookie"], 3)
	again := b.Catch(request, http.Header{})
	require.True(t, again.Clicked)
	require.ErrorIs(t, again.Err, errFlood)
	require.Equal(t, Caught{}, b.Catch(httptest.NewRequest(http.MethodGet, shop, nil), http.Header{}))
}

func TestForgetShopperTakesTheCookiesToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start()
	b.browser.has("sid", "s-1")
	b.browser.get("/?cjevent=" + clickA)
	request := httptest.NewRequest(http.MethodPost, shop+"/forget", nil)
	request.AddCookie(&http.Cookie{Name: "sid", Value: "s-1"})
	own := newSession()
	b.browser.has(cookieSession, own)
	request.AddCookie(&http.Cookie{Name: cookieSession, Value: own})
	header := http.Header{"Cache-Control": {"public"}}
	require.NoError(t, b.ForgetShopper(t.Context(), request, header))
	require.Equal(t, "private", header.Get("Cache-Control"), "no cache may take others' cookies away")
	for _, line := range header["Set-Cookie"] {
		require.Contains(t, line, "Domain=example.com; Max-Age=0;")
	}
	at, _ := url.Parse(shop)
	b.browser.jar.SetCookies(at, (&http.Response{Header: header}).Cookies())
	require.Empty(t, b.browser.cookie("cje"))
	require.Empty(t, b.browser.cookie(cookieCompanion))
	require.Empty(t, b.browser.cookie(cookieSession))
	require.Equal(t, 3, b.spool.state().records, "a click, and an erasure for each session that was shown")
	require.Equal(t, 2.0, b.metric("erased_total"))
	require.Empty(t, b.browser.get("/").Header["Set-Cookie"])
}

func TestForgetRefusesWhatIsNoSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, session := range map[string]string{"Empty": "", "Long": strings.Repeat("s", maxSession+1), "Blank": "a b", "Control": "a\x00b", "Delete": "a\x7f", "Unicode": "sé"} {
		t.Run(name, func(t *testing.T) {
			err := b.Forget(t.Context(), session)
			var refused *schema.FieldError
			require.ErrorAs(t, err, &refused)
			if session != "" {
				require.NotContains(t, err.Error(), session)
			}
		})
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gaveUp := errors.New("gave up")
	cancel(gaveUp)
	require.ErrorIs(t, b.Forget(ctx, "s-1"), gaveUp, "nobody writes to the disk")
	require.NoError(t, b.Close())
	require.ErrorIs(t, b.Forget(t.Context(), "s-1"), errStopped)
}
