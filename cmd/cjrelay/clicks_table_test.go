package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answering is the address of a server that gives one answer to everything.
func answering(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// A process that listens on every interface is asked on this machine.
func TestDialable(t *testing.T) {
	t.Parallel()
	for listen, want := range map[string]string{
		"127.0.0.1:9644":     "127.0.0.1:9644",
		":9644":              "127.0.0.1:9644",
		"0.0.0.0:9644":       "127.0.0.1:9644",
		"[::]:9644":          "[::1]:9644",
		"10.0.0.7:9644":      "10.0.0.7:9644",
		"relay.example:80":   "relay.example:80",
		"[2001:db8::1]:9644": "[2001:db8::1]:9644",
	} {
		require.Equal(t, want, dialable(listen), listen)
	}
}
