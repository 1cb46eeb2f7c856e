package postback_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
)

// serve starts an endpoint on loopback and returns a client for it.
func serve(t *testing.T, handler http.HandlerFunc) *postback.Client {
	t.Helper()
	server := httptest.NewServer(handler)
	client, err := postback.NewClient(postback.ClientConfig{Endpoint: server.URL + "/u", Timeout: time.Minute, UserAgent: "cjrelay/test"})
	require.NoError(t, err)
	t.Cleanup(func() {
		client.Close()
		server.Close()
	})
	return client
}

// requireQuiet checks that an error shows nothing of the query.
func requireQuiet(t *testing.T, answer postback.Answer) {
	t.Helper()
	if answer.Err == nil {
		return
	}
	for err := answer.Err; err != nil; err = errors.Unwrap(err) {
		for _, private := range []string{click, signature, "CJEVENT", "OID="} {
			require.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), private)
		}
	}
}

func TestSendsTheQueryAsItIs(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	client := serve(t, func(_ http.ResponseWriter, r *http.Request) { seen <- r.Clone(context.Background()) })
	q := query(t)
	answer := client.Send(t.Context(), q)
	require.Equal(t, postback.Acknowledged, answer.Class)
	require.Equal(t, 200, answer.Status)
	require.Positive(t, answer.Latency)

	request := <-seen
	require.Equal(t, http.MethodGet, request.Method)
	require.Equal(t, "/u?"+q.Raw(), request.RequestURI)
	require.Equal(t, http.Header{"User-Agent": {"cjrelay/test"}}, request.Header)
	require.Zero(t, request.ContentLength)
}

func TestKeepsAPathlessEndpoint(t *testing.T) {
	t.Parallel()
	var seen *url.URL
	transport := roundTrip(func(r *http.Request) (*http.Response, error) {
		seen = r.URL
		return status(200, nil)(r)
	})
	client, err := postback.NewClient(postback.ClientConfig{Endpoint: "https://cj.example.com", Transport: transport})
	require.NoError(t, err)
	q := query(t)
	require.Equal(t, postback.Acknowledged, client.Send(t.Context(), q).Class)
	require.Equal(t, q.URL("https://cj.example.com"), seen.String())
}

func TestAnyBodyOf2xxIsAcknowledged(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
	}{
		{"Empty", func(http.ResponseWriter, *http.Request) {}},
		{"NoContent", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"HTML", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html><body>ok</body></html>") }},
		{"ErrorText", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"error":"invalid order"}`)
		}},
		{"CutAfterTheStatusLine", answerThenClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")},
		{"CutInTheBody", answerThenClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")},
		{"BrokenChunk", answerThenClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")},
		{"Endless", func(w http.ResponseWriter, _ *http.Request) {
			for line := strings.Repeat("x", 1<<10); ; {
				if _, err := io.WriteString(w, line); err != nil {
					return
				}
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer := serve(t, test.handler).Send(t.Context(), query(t))
			require.NoError(t, answer.Err)
			require.Equal(t, postback.Acknowledged, answer.Class)
		})
	}
}

// answerThenClose writes raw bytes in place of an answer and closes the connection.
func answerThenClose(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(connection, text)
		_ = connection.Close()
	}
}

func TestFailuresAreRetriedAndSayWhy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		handler http.HandlerFunc
		want    string
	}{
		{"ClosedWithoutAnswer", answerThenClose(""), "connection closed before an answer"},
		{"CutInTheHeader", answerThenClose("HTTP/1.1 200 OK\r\nX-Served-By: a\r\n"), "connection closed before an answer"},
		{"Reset", func(w http.ResponseWriter, _ *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			_ = connection.(*net.TCPConn).SetLinger(0)
			_ = connection.Close()
		}, "connection reset before an answer"},
		{"EchoInPlaceOfHTTP", func(w http.ResponseWriter, r *http.Request) {
			answerThenClose("GET "+r.RequestURI+"\r\n\r\n")(w, r)
		}, "no valid HTTP answer (*errors.errorString)"},
		{"EchoInTheHeader", func(w http.ResponseWriter, r *http.Request) {
			answerThenClose("HTTP/1.1 200 OK\r\n"+r.RequestURI+"\r\n\r\n")(w, r)
		}, "no valid HTTP answer (textproto.ProtocolError)"},
		{"EchoInTheStatus", func(w http.ResponseWriter, r *http.Request) {
			answerThenClose("HTTP/1.1 503 "+r.RequestURI+"\r\n\r\n")(w, r)
		}, "CJ answered 503 Service Unavailable"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			answer := serve(t, test.handler).Send(t.Context(), query(t))
			require.EqualError(t, answer.Err, test.want)
			require.Equal(t, postback.Retry, answer.Class)
			requireQuiet(t, answer)
		})
	}
}

func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	// Nothing listens on port 1.
	client, err := postback.NewClient(postback.ClientConfig{Endpoint: "http://127.0.0.1:1/u"})
	require.NoError(t, err)
	answer := client.Send(t.Context(), query(t))
	require.EqualError(t, answer.Err, "connection refused")
	require.Equal(t, postback.Retry, answer.Class)
	require.Zero(t, answer.Status)
}

func TestRedirectsAreNeverFollowed(t *testing.T) {
	t.Parallel()
	for _, code := range []int{301, 302, 303, 307, 308} {
		t.Run(http.StatusText(code), func(t *testing.T) {
			t.Parallel()
			var elsewhere, here atomic.Int32
			other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
			defer other.Close()
			client := serve(t, func(w http.ResponseWriter, r *http.Request) {
				here.Add(1)
				http.Redirect(w, r, other.URL+"/u?"+r.URL.RawQuery, code)
			})
			answer := client.Send(t.Context(), query(t))
			require.Equal(t, postback.Setup, answer.Class)
			require.Equal(t, code, answer.Status)
			requireQuiet(t, answer)
			require.Equal(t, []int32{1, 0}, []int32{here.Load(), elsewhere.Load()})
		})
	}
}

func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	var count atomic.Int32
	codes := []int{200, 503, 429, 400, 302, 404, 204}
	client := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		code := codes[int(count.Add(1))%len(codes)]
		w.WriteHeader(code)
		if code != http.StatusNoContent {
			_, _ = io.WriteString(w, strings.Repeat("x", 60<<10))
		}
	})
	for range 4 * len(codes) {
		client.Send(t.Context(), query(t))
	}
	require.EqualValues(t, 4*len(codes), count.Load())
	fresh, reused := client.Connections()
	require.EqualValues(t, 1, fresh)
	require.EqualValues(t, 4*len(codes)-1, reused)
}

func TestKeepsAsManyConnectionsAsAttemptsAtOnce(t *testing.T) {
	t.Parallel()
	const atOnce = 16
	arrived, release := make(chan struct{}), make(chan struct{})
	client := serve(t, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	for range 3 {
		var group sync.WaitGroup
		for range atOnce {
			group.Go(func() { client.Send(t.Context(), query(t)) })
		}
		for range atOnce {
			<-arrived
		}
		for range atOnce {
			release <- struct{}{}
		}
		group.Wait()
	}
	fresh, reused := client.Connections()
	require.EqualValues(t, atOnce, fresh)
	require.EqualValues(t, 2*atOnce, reused)
}

func TestCancelledByTheCaller(t *testing.T) {
	t.Parallel()
	t.Run("InFlight", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		client := serve(t, func(_ http.ResponseWriter, r *http.Request) {
			cancel()
			<-r.Context().Done()
		})
		answer := client.Send(ctx, query(t))
		require.EqualError(t, answer.Err, "cancelled before CJ answered")
		require.Equal(t, postback.Cancelled, answer.Class)
		require.Zero(t, answer.Status)
	})
	t.Run("BeforeSending", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var hits atomic.Int32
		client := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
		require.Equal(t, postback.Cancelled, client.Send(ctx, query(t)).Class)
		require.Zero(t, hits.Load())
		fresh, _ := client.Connections()
		require.Zero(t, fresh)
	})
}

func TestAZeroQueryIsNeverSent(t *testing.T) {
	t.Parallel()
	client := clientOn(t, roundTrip(func(*http.Request) (*http.Response, error) {
		panic("sent")
	}))
	answer := client.Send(t.Context(), postback.Query{})
	require.Equal(t, postback.Setup, answer.Class, "CJ would answer 200 to it")
	require.EqualError(t, answer.Err, "the query is empty: an order that could not be built was sent")
}
