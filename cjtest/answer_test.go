package cjtest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAnswers(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]struct {
		status      int
		body        string
		header      [2]string
		contentType string
	}{
		"ok":                                {status: 200, body: "OK\n", contentType: "text/plain; charset=utf-8"},
		"status=503":                        {status: 503, body: "Service Unavailable\n", contentType: "text/plain; charset=utf-8"},
		"status=429 retry-after=2":          {status: 429, body: "Too Many Requests\n", header: [2]string{"Retry-After", "2"}, contentType: "text/plain; charset=utf-8"},
		"status=429 retry-after=+90s":       {status: 429, body: "Too Many Requests\n", header: [2]string{"Retry-After", "Thu, 01 Feb 2024 10:01:30 GMT"}, contentType: "text/plain; charset=utf-8"},
		`status=503 retry-after="in a bit"`: {status: 503, body: "Service Unavailable\n", header: [2]string{"Retry-After", "in a bit"}, contentType: "text/plain; charset=utf-8"},
		"status=503 retry-after=+soon":      {status: 503, body: "Service Unavailable\n", header: [2]string{"Retry-After", "+soon"}, contentType: "text/plain; charset=utf-8"},
		`status=400 body="no; thanks"`:      {status: 400, body: "no; thanks", contentType: "text/plain; charset=utf-8"},
		"status=204":                        {status: 204},
		"empty":                             {status: 200, header: [2]string{"Content-Length", "0"}},
		"empty status=502":                  {status: 502},
		"html":                              {status: 200, body: htmlPage, contentType: "text/html; charset=utf-8"},
		"redirect=http://127.0.0.1:1/u":     {status: 302, header: [2]string{"Location", "http://127.0.0.1:1/u"}},
		"redirect=/v status=308":            {status: 308, header: [2]string{"Location", "/v"}},
		"trickle=3/1us body=0123456789":     {status: 200, body: "0123456789", header: [2]string{"Content-Length", "10"}, contentType: "text/plain; charset=utf-8"},
		"latency=1us..2us status=201":       {status: 201, body: "Created\n", contentType: "text/plain; charset=utf-8"},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			b := setup(t, WithClock((&clock{time.Date(2024, 2, 1, 10, 0, 0, 0, time.UTC)}).Now))
			b.script(script)
			got := b.postback(query())
			require.Equal(t, want.status, got.status)
			require.Equal(t, want.body, got.body)
			require.Equal(t, want.contentType, got.header.Get("Content-Type"))
			if want.header[0] != "" {
				require.Equal(t, want.header[1], got.header.Get(want.header[0]))
			}
			require.Equal(t, want.status, b.only().Status)
			require.Equal(t, Valid, b.only().Verdict)
			require.Equal(t, want.status < 300, b.cj.Acknowledged("ORD-2024-001234"))
		})
	}
}

func TestBrokenAnswers(t *testing.T) {
	t.Parallel()
	for script, check := range map[string]func(t *testing.T, err error){
		"reset": func(t *testing.T, err error) { require.ErrorIs(t, err, syscall.ECONNRESET) },
		"cut":   func(t *testing.T, err error) { require.ErrorContains(t, err, `malformed HTTP status code "20"`) },
		"malformed": func(t *testing.T, err error) {
			require.ErrorContains(t, err, `malformed HTTP status code "cj.example"`)
		},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.script("next=1 " + script)
			_, err := b.try(t.Context(), http.MethodGet, b.cj.Endpoint()+"?"+query(), "")
			check(t, err)
			require.Zero(t, b.only().Status)
			require.Equal(t, Valid, b.only().Verdict)
			require.False(t, b.cj.Acknowledged("ORD-2024-001234"))
			require.Equal(t, http.StatusOK, b.postback(query()).status)
			require.Equal(t, 0, b.cj.Summary().Duplicates, "an order that got no answer was not acknowledged")
		})
	}
}

func TestBrokenAnswersWithoutAConnectionToBreak(t *testing.T) {
	t.Parallel()
	for _, effect := range []Effect{Reset, Cut, Malformed} {
		cj := New(WithScript(Rule{Effect: effect}))
		require.PanicsWithValue(t, http.ErrAbortHandler, func() {
			cj.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/u?"+query(), nil))
		})
		require.Equal(t, map[int]int{0: 1}, cj.Summary().ByStatus)
	}
}

func TestResetReachesTheConnectionUnderTLS(t *testing.T) {
	t.Parallel()
	cj := New(WithScript(Rule{Effect: Reset}))
	server := httptest.NewTLSServer(cj)
	defer server.Close()
	client := server.Client()
	_, err := client.Get(server.URL + Path + "?" + query())
	require.ErrorIs(t, err, syscall.ECONNRESET)
}

func TestHeadersOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.script("headers")
	ctx, giveUp := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.cj.Endpoint()+"?"+query(), nil)
	require.NoError(t, err)
	response, err := b.client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.Positive(t, response.ContentLength)
	require.Equal(t, http.StatusOK, b.only().Status, "a status was given")
	giveUp()
	_, err = io.ReadAll(response.Body)
	require.ErrorIs(t, err, context.Canceled)
}

func TestAClientThatGivesUpGetsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, script := range []string{"hang", "latency=24h"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			ended := make(chan Received, 1)
			b := setup(t, WithObserver(func(r Received) { ended <- r }))
			b.script(script)
			ctx, giveUp := context.WithCancel(t.Context())
			go func() {
				_ = b.cj.Wait(t.Context(), 1)
				giveUp()
			}()
			_, err := b.try(ctx, http.MethodGet, b.cj.Endpoint()+"?"+query(), "")
			require.ErrorIs(t, err, context.Canceled)
			require.Zero(t, (<-ended).Status)
		})
	}
}
