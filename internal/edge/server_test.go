package edge

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

// withTLS gives the edge a certificate of its own, in its spool's directory.
func withTLS(c *config.Config) {
	folder, err := os.MkdirTemp(c.Capture.SpoolDir, "tls")
	if err != nil {
		panic(err)
	}
	c.Capture.TLS = config.CaptureTLS{Cert: filepath.Join(folder, "cert.pem"), Key: filepath.Join(folder, "key.pem")}
	writeCertificate(c.Capture.TLS, 1)
}

// writeCertificate makes a self-signed certificate with that serial number.
func writeCertificate(files config.CaptureTLS, serial int64) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"shop.test"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err)
	}
	for file, block := range map[string]*pem.Block{files.Cert: {Type: "CERTIFICATE", Bytes: cert}, files.Key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			panic(err)
		}
	}
}

func TestServer(t *testing.T) {
	t.Parallel()
	shop := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("X-Forwarded-Proto"))
	})

	t.Run("SpeaksHTTP2OverTLSAndTellsTheShop", func(t *testing.T) {
		t.Parallel()
		s := open(t, shop, withTLS)
		response, body := s.ask(t, http.MethodGet, "/")
		require.Equal(t, "HTTP/2.0", response.Proto)
		require.Equal(t, "https", body)
	})

	t.Run("TakesANewCertificateWithoutARestart", func(t *testing.T) {
		t.Parallel()
		s := open(t, shop, withTLS)
		serial := func() int64 {
			conn, err := tls.Dial("tcp", s.edge.Addr(), &tls.Config{InsecureSkipVerify: true})
			require.NoError(t, err)
			defer conn.Close()
			return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		}
		require.Equal(t, int64(1), serial())
		change := func(later time.Duration) {
			at := time.Now().Add(later)
			require.NoError(t, os.Chtimes(s.config.Capture.TLS.Cert, at, at))
		}
		require.NoError(t, os.WriteFile(s.config.Capture.TLS.Cert, []byte("half a fi"), 0o600))
		change(time.Minute)
		require.Equal(t, int64(1), serial(), "a certificate that cannot be read must not end the old one")
		writeCertificate(s.config.Capture.TLS, 2)
		change(2 * time.Minute)
		require.Equal(t, int64(2), serial())
	})

	// Whoever renews a certificate replaces two files, one after the other.
	t.Run("WaitsForTheKeyOfANewCertificate", func(t *testing.T) {
		t.Parallel()
		var files config.CaptureTLS
		cfg := settings(t, nil)
		withTLS(&cfg)
		files = cfg.Capture.TLS
		log := &logText{}
		c, err := newCertificate(files.Cert, files.Key, slog.New(slog.NewTextHandler(log, nil)))
		require.NoError(t, err)
		first, err := c.get(nil)
		require.NoError(t, err)
		key, err := os.ReadFile(files.Key)
		require.NoError(t, err)
		writeCertificate(files, 2)
		fits, err := os.ReadFile(files.Key)
		require.NoError(t, err)
		at := time.Now().Add(time.Minute)
		replace := func(content []byte) {
			at = at.Add(time.Minute)
			require.NoError(t, os.WriteFile(files.Key, content, 0o600))
			require.NoError(t, os.Chtimes(files.Key, at, at))
		}
		replace(key)
		for range 3 {
			now, err := c.get(nil)
			require.NoError(t, err)
			require.Same(t, first, now)
		}
		require.Equal(t, 1, strings.Count(log.String(), "cannot be used"), "said once, and not at every handshake")
		replace(fits)
		now, err := c.get(nil)
		require.NoError(t, err)
		require.NotSame(t, first, now)
	})

	t.Run("RefusesWhatIsOlderThanTLS12", func(t *testing.T) {
		t.Parallel()
		s := open(t, shop, withTLS)
		_, err := tls.Dial("tcp", s.edge.Addr(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
		require.ErrorContains(t, err, "protocol version")
	})

	t.Run("DoesNotSpeakHTTP2WithoutTLS", func(t *testing.T) {
		t.Parallel()
		s := open(t, shop)
		conn, err := net.Dial("tcp", s.edge.Addr())
		require.NoError(t, err)
		defer conn.Close()
		_, err = io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		require.NoError(t, err)
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err)
		require.Equal(t, "HTTP/1.1", response.Proto)
	})

	t.Run("RefusesEndlessHeaders", func(t *testing.T) {
		t.Parallel()
		s := open(t, shop)
		response, _ := s.ask(t, http.MethodGet, "/", "X-Long: "+strings.Repeat("x", 2*maxHeaderBytes))
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, response.StatusCode)
	})

	t.Run("TakesLongHeaders", func(t *testing.T) {
		t.Parallel()
		s := open(t, shop)
		response, _ := s.ask(t, http.MethodGet, "/", "X-Long: "+strings.Repeat("x", maxHeaderBytes-4<<10))
		require.Equal(t, http.StatusOK, response.StatusCode)
	})

	// Clients that say half a request must not hold connections for ever, and uploads and streams take their time.
	t.Run("BoundsHeadersAndNotBodies", func(t *testing.T) {
		t.Parallel()
		s := open(t, shop)
		server := s.edge.server
		require.Equal(t, readHeaderTimeout, server.ReadHeaderTimeout)
		require.Equal(t, idleTimeout, server.IdleTimeout)
		require.Zero(t, server.ReadTimeout)
		require.Zero(t, server.WriteTimeout)
	})

	t.Run("SaysNothingOfWhoScansPorts", func(t *testing.T) {
		t.Parallel()
		log := &logText{}
		lines := serverLog(slog.New(slog.NewTextHandler(log, nil)))
		lines.Print("http: TLS handshake error from 203.0.113.7:1: EOF")
		require.Empty(t, log.String())
		lines.Print("http: Accept error: too many open files")
		require.Contains(t, log.String(), "level=WARN")
	})

	t.Run("SaysWhichPortIsTaken", func(t *testing.T) {
		t.Parallel()
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer taken.Close()
		for key, set := range map[string]func(*config.Capture, string){
			"capture.listen":       func(c *config.Capture, address string) { c.Listen = address },
			"capture.admin_listen": func(c *config.Capture, address string) { c.AdminListen = address },
		} {
			cfg := settings(t, []string{"127.0.0.1:1"})
			cfg.Capture.Upstream = "http://127.0.0.1:1"
			set(&cfg.Capture, taken.Addr().String())
			_, err = New(cfg, discard)
			require.ErrorContains(t, err, fmt.Sprintf("%s %q: listen tcp", key, taken.Addr()))
			require.ErrorContains(t, err, "choose another address or stop what uses it")
			// What New took is free again.
			set(&cfg.Capture, "127.0.0.1:0")
			e, err := New(cfg, discard)
			require.NoError(t, err)
			e.giveUp()
			require.NoError(t, e.admin.Serve(canceled(t)))
		}
	})

	t.Run("RefusesAKeyThatDoesNotFit", func(t *testing.T) {
		t.Parallel()
		cfg := settings(t, []string{"127.0.0.1:1"})
		cfg.Capture.Upstream = "http://127.0.0.1:1"
		withTLS(&cfg)
		require.NoError(t, os.WriteFile(cfg.Capture.TLS.Key, []byte("no key"), 0o600))
		_, err := New(cfg, discard)
		require.ErrorContains(t, err, "capture.tls: ")
	})
}
