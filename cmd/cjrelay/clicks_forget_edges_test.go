package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// An edge that is away for a day must not keep the others from forgetting today.
func TestClicksForgetAsksEveryEdge(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte("kafka: {brokers: ['127.0.0.1:1']}\n"), 0o600))
	var asked atomic.Int32
	works := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(works.Close)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "the spool is full", http.StatusServiceUnavailable)
	}))
	t.Cleanup(refuses.Close)
	address := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

	away := nowhere(t)
	got := call(t, "", "clicks", "forget", "s-1", "--edge", away+","+address(refuses)+","+address(works))
	require.Equal(t, exitFailed, got.code)
	require.Equal(t, "forgotten by the edge at "+address(works)+"\n", got.out)
	require.Contains(t, got.err, "no process runs at --edge "+away)
	require.Contains(t, got.err, "start it and call this again")
	require.Contains(t, got.err, "the edge at "+address(refuses)+" answers with status 503: the spool is full")
	require.EqualValues(t, 1, asked.Load())

	// None is asked, and none gets the token, before all addresses can be right.
	for _, wrong := range []string{"http://" + away + "/", "127.0.0.1", "edge-1:", "edge-1:0", "edge-1:http"} {
		got := call(t, "", "clicks", "forget", "s-1", "--edge", address(works)+","+wrong)
		require.Equal(t, exitUsage, got.code, wrong)
		require.Empty(t, got.out, wrong)
		require.Contains(t, got.err, "must be the host:port of an edge's capture.admin_listen", wrong)
	}
	require.EqualValues(t, 1, asked.Load())
}
