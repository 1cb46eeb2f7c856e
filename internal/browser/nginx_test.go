//go:build browser

package browser_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

// snippets are the blocks for nginx in docs/edge.md: what people copy is what runs here.
func snippets(t *testing.T) (subrequest, mirror string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/edge.md")
	require.NoError(t, err)
	parts := strings.Split(string(page), "\n```nginx\n")
	require.Len(t, parts, 3)
	subrequest, _, _ = strings.Cut(parts[1], "\n```\n")
	mirror, _, _ = strings.Cut(parts[2], "\n```\n")
	return subrequest, mirror
}

// place puts the test's addresses into a snippet. Each of the old ones must be in it.
func place(t *testing.T, snippet string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		require.Contains(t, snippet, oldNew[i])
	}
	return strings.NewReplacer(oldNew...).Replace(snippet)
}

// nginx runs Debian's nginx with a snippet inside of http {}, until the test ends, and waits until it serves there.
func nginx(t *testing.T, snippet, address string) {
	t.Helper()
	folder := t.TempDir()
	conf := fmt.Sprintf(`daemon off; worker_processes 1; pid %[1]s/pid; error_log %[1]s/error.log;
events {}
http {
access_log off;
client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi; uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
%[2]s
}
`, folder, snippet)
	file := filepath.Join(folder, "nginx.conf")
	require.NoError(t, os.WriteFile(file, []byte(conf), 0o600))
	server := exec.Command("nginx", "-e", folder+"/error.log", "-c", file)
	server.Stdout, server.Stderr = os.Stderr, os.Stderr
	require.NoError(t, server.Start(), "start nginx: Debian's package is nginx-light")
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		_ = server.Wait()
		if errors, _ := os.ReadFile(folder + "/error.log"); t.Failed() {
			t.Logf("nginx:\n%s\n%s", conf, errors)
		}
	})
	serves(t, address)
}

// serves waits until somebody listens.
func serves(t *testing.T, address string) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, longest, 10*time.Millisecond, "nobody serves at %s", address)
}

// free is an address where nobody listens.
func free(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// certificate is a self-signed one for the shop.
func certificate(t *testing.T) config.CaptureTLS {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"*.shop.test"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	folder := t.TempDir()
	files := config.CaptureTLS{Cert: filepath.Join(folder, "shop.crt"), Key: filepath.Join(folder, "shop.key")}
	require.NoError(t, os.WriteFile(files.Cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600))
	require.NoError(t, os.WriteFile(files.Key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	return files
}

// nginx ends TLS, stands in front of the shop, and asks the edge.
func TestShoppingThroughNginx(t *testing.T) {
	t.Parallel()
	w := open(t)
	e, stop := w.edge(t, trustFront)
	files, front := certificate(t), free(t)
	subrequest, _ := snippets(t)
	nginx(t, place(t, subrequest, "server 127.0.0.1:8088;", "server "+e.Addr()+";", "listen 443 ", "listen "+front+" ", "server_name www.example.com;", "server_name .shop.test;",
		"/etc/nginx/shop.crt", files.Cert, "/etc/nginx/shop.key", files.Key, "http://127.0.0.1:3000", w.upstream.URL), front)
	w.goShopping(t, front)
	stop()
	requireShopGoesOn(t, front)
}

// requireShopGoesOn lands while nobody answers at the edge.
func requireShopGoesOn(t *testing.T, front string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	require.Equal(t, http.StatusOK, get(t, client, "https://"+front+"/").StatusCode)
	landing := get(t, client, "https://"+front+"/?cjevent="+click1)
	require.Equal(t, http.StatusMovedPermanently, landing.StatusCode)
	require.NotContains(t, strings.Join(landing.Header["Set-Cookie"], "\n"), click1)
}

// trustFront lets the edge believe what nginx and Envoy say.
func trustFront(c *config.Capture) { c.TrustedProxies = []string{"127.0.0.1"} }

// A client cannot put words into nginx's mouth: the address, host and session that it claims are not believed.
func TestNginxKeepsForgedHeadersFromTheEdge(t *testing.T) {
	t.Parallel()
	w := open(t)
	e, _ := w.edge(t, func(c *config.Capture) {
		trustFront(c)
		c.SessionCookie, c.SessionHeader = "", "X-Customer-Id"
	})
	files, front := certificate(t), free(t)
	subrequest, _ := snippets(t)
	nginx(t, place(t, subrequest, "server 127.0.0.1:8088;", "server "+e.Addr()+";", "listen 443 ", "listen "+front+" ", "server_name www.example.com;", "server_name .shop.test;",
		"/etc/nginx/shop.crt", files.Cert, "/etc/nginx/shop.key", files.Key, "http://127.0.0.1:3000", w.upstream.URL), front)
	w.requireForgeriesIgnored(t, front)
}

// requireForgeriesIgnored lands with headers that only a proxy may write.
func (w *world) requireForgeriesIgnored(t *testing.T, front string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+front+"/?cjevent="+click1, nil)
	require.NoError(t, err)
	request.Host = "www.shop.test"
	for name, value := range map[string]string{"X-Customer-Id": "1042", "X-Original-URI": "/?cjevent=" + click2, "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http"} {
		request.Header.Set(name, value)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	t.Cleanup(transport.CloseIdleConnections)
	response, err := transport.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	lines := strings.Join(response.Header["Set-Cookie"], "\n")
	require.Contains(t, lines, "cje="+click1+"; Path=/; Domain=shop.test;")
	require.Contains(t, lines, "cjrelay_session=", "the claimed customer is not believed, so there is no session yet")
	require.NotContains(t, lines, click2)
	require.NotContains(t, w.log.String(), "plain HTTP")
}

// The mirror writes the click of a shopper who comes with a session, and holds nothing up.
func TestMirror(t *testing.T) {
	t.Parallel()
	w := open(t)
	e, stop := w.edge(t, trustFront)
	front := free(t)
	_, mirror := snippets(t)
	nginx(t, place(t, mirror, "listen 80;", "listen "+front+";", "server_name www.example.com;", "server_name .shop.test;",
		"http://127.0.0.1:8088", "http://"+e.Addr(), "http://127.0.0.1:3000", w.upstream.URL), front)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	ask := func(path string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+front+path, nil)
		require.NoError(t, err)
		request.Header.Set("Cookie", "sid=device-1")
		response, err := client.Do(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		return response
	}
	landing := ask("/?cjevent=" + click1)
	require.Equal(t, http.StatusMovedPermanently, landing.StatusCode)
	require.Empty(t, landing.Header["Set-Cookie"])
	ask("/?x=1")
	w.written(t, "device-1", click1)
	require.Equal(t, http.StatusSeeOther, ask("/buy").StatusCode)
	require.NoError(t, w.shop.failed)
	require.Equal(t, map[string]string{"ORD-1": click1}, w.paid(t, 1))
	stop()
	require.Equal(t, http.StatusMovedPermanently, ask("/?cjevent="+click2).StatusCode)
}
