package main

import (
	"bufio"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// edgeToken opens the admin port of the tests' edges.
const edgeToken = "0123456789abcdef-edge"

// edgeProcess is `cjrelay capture` as a process of its own, in front of a shop.
type edgeProcess struct {
	*process
	kafka *kafkatest.Cluster
	topic string
	// configuration is the file it runs with, and shop where it serves.
	configuration, shop string
}

// edges writes a configuration with further lines for its section capture.
func edges(t *testing.T, kafka *kafkatest.Cluster, topic, admin string, more ...string) string {
	t.Helper()
	upstream := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(upstream.Close)
	file := filepath.Join(t.TempDir(), "cjrelay.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `
kafka: {brokers: [%q]}
clicks: {topic: %s, format: string}
admin: {token: %s}
capture:
  upstream: %q
  listen: 127.0.0.1:0
  admin_listen: %q
  spool_dir: %q
  session_cookie: sid
  %s
`, kafka.Brokers[0], topic, edgeToken, upstream.URL, admin, filepath.Join(filepath.Dir(file), "spool"), strings.Join(more, "\n  ")), 0o600))
	return file
}

// captures starts an edge and waits until it serves.
func captures(t *testing.T) *edgeProcess {
	t.Helper()
	kafka := kafkatest.Start(t)
	e := &edgeProcess{process: &process{admin: nowhere(t)}, kafka: kafka, topic: kafka.Topic(t, "cjevent", 2, map[string]string{"cleanup.policy": "compact,delete"})}
	e.configuration = edges(t, kafka, e.topic, e.admin)
	e.Cmd = program(t, "capture", "--config", e.configuration)
	stderr, err := e.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, e.Start())
	e.log = bufio.NewScanner(stderr)
	_, listen, _ := strings.Cut(await(t, e.log, "cjrelay captures"), " listen=")
	e.shop, _, _ = strings.Cut(listen, " ")
	return e
}

// land sends a shopper with a click, and returns when the click is in the topic.
func (e *edgeProcess) land(t *testing.T, session, click string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+e.shop+"/?cjevent="+click, nil)
	require.NoError(t, err)
	request.Header.Set("Cookie", "sid="+session)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusNotFound, response.StatusCode, "the shop's own answer")
	require.Contains(t, strings.Join(response.Header["Set-Cookie"], "\n"), "cje="+click+";")
	require.Eventually(t, func() bool { return e.lastOf(t, session) == click }, time.Minute, 5*time.Millisecond)
}

// lastOf is the value of the session's last record in the topic, and "erased" for none.
func (e *edgeProcess) lastOf(t *testing.T, session string) string {
	t.Helper()
	last := ""
	for _, record := range e.kafka.Read(t, e.topic) {
		if string(record.Key) != session {
			continue
		}
		if last = string(record.Value); record.Value == nil {
			last = "erased"
		}
	}
	return last
}

func TestCaptureCatchesClicksAndStopsWithZeroOnTheFirstSignal(t *testing.T) {
	e := captures(t)
	e.land(t, "s-1", click)
	for _, path := range []string{"/livez", "/readyz?verbose", "/metrics", "/version", "/config"} {
		status, body := get(t, "http://"+e.admin+path)
		require.Equal(t, http.StatusOK, status, "%s: %s", path, body)
		require.NotContains(t, body, edgeToken)
	}
	require.NoError(t, e.Process.Signal(syscall.SIGTERM))
	await(t, e.log, "stopped")
	require.Equal(t, exitDone, e.exit())
}

func TestCaptureRefusesWhatCannotWork(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte("clicks: {format: json}\ncapture: {session_cookie: sid}\n"), 0o600))
	for _, verb := range []string{"capture", "lint"} {
		got := call(t, "", verb)
		require.Equal(t, exitUsage, got.code, verb)
	}
	require.Contains(t, call(t, "", "capture").err, "capture.upstream: not set: the edge needs a shop to stand in front of")
}

func TestLintChecksTheEdgeWhereItIsConfigured(t *testing.T) {
	t.Chdir(t.TempDir())
	const relay = "registry: {url: 'http://127.0.0.1:8081'}\ncj: {enterprise_id: '1', actions: {sale: '2'}}\n"
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte(relay), 0o600))
	require.Equal(t, exitDone, call(t, "", "lint").code)
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte(relay+"capture: {session_cookie: sid}\n"), 0o600))
	require.Contains(t, call(t, "", "lint").err, "capture.upstream: not set")

	// The machine of an edge need not know the account at CJ, nor the registry of the orders.
	const edge = "clicks: {format: json}\ncapture: {session_cookie: sid, upstream: 'http://127.0.0.1:3000'}\n"
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte(edge), 0o600))
	got := call(t, "", "lint")
	require.Equal(t, exitDone, got.code, got.err)
	require.Contains(t, got.err, "valid for an edge; it sends no orders")
	require.NoError(t, os.WriteFile("cjrelay.yaml", []byte(edge+"cj: {enterprise_id: '1'}\n"), 0o600))
	require.Contains(t, call(t, "", "lint").err, "cj.actions: not set")
}
