package edge

import (
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// capture.upstream is easily the shop's public name, which leads to the edge again: one request would take every
// connection of the machine.
func TestRequestThatComesRoundIsRefused(t *testing.T) {
	t.Parallel()
	var back atomic.Pointer[url.URL]
	var rounds atomic.Int32
	s := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rounds.Add(1) > 5 {
			_, _ = io.WriteString(w, "round for ever")
			return
		}
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) { p.SetURL(back.Load()) }}).ServeHTTP(w, r)
	}))
	edge, err := url.Parse(s.url(""))
	require.NoError(t, err)
	back.Store(edge)

	response, body := s.ask(t, http.MethodGet, "/?cjevent="+click)
	require.Equal(t, http.StatusLoopDetected, response.StatusCode)
	require.Contains(t, body, "leads back to this edge")
	require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
	require.EqualValues(t, 1, rounds.Load())
	require.Equal(t, click, cookieOf(t, response, "cje").Value)
	require.Len(t, response.Cookies(), 3, "each once")
	require.Equal(t, "1", s.metric(t, "cjrelay_capture_landings_total"))
	require.Equal(t, "1", s.metric(t, "cjrelay_capture_upstream_failures_total"))
	require.Equal(t, 1, strings.Count(s.log.String(), "capture.upstream leads back to this edge"))
}

func TestOneEdgeMayStandBehindAnother(t *testing.T) {
	t.Parallel()
	inner := open(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Join(r.Header[hopHeader], " "))
	}))
	front, err := url.Parse(inner.url(""))
	require.NoError(t, err)
	outer := open(t, httputil.NewSingleHostReverseProxy(front))
	response, hops := outer.ask(t, http.MethodGet, "/")
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Len(t, strings.Fields(hops), 2)

	// What a client writes there is not ours.
	response, _ = outer.ask(t, http.MethodGet, "/", hopHeader+": 0123456789abcdef", hopHeader+": ")
	require.Equal(t, http.StatusOK, response.StatusCode)
}
