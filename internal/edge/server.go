package edge

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

const (
	// readHeaderTimeout bounds how long a client may take to say what it wants. Bodies have no bound: an upload over a
	// slow line, or a page that streams, takes as long as it takes.
	readHeaderTimeout = 10 * time.Second
	// idleTimeout is longer than browsers keep a connection that they do not use.
	idleTimeout = 3 * time.Minute
	// maxHeaderBytes is twice what nginx and Apache take, so that no shopper is refused here whom the shop would take.
	maxHeaderBytes = 64 << 10
)

// listen opens the port for shoppers, so that an address in use is an error at start.
func (e *Edge) listen(handler http.Handler) error {
	settings := e.config.Capture
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		advice := "use host:port with an address of this machine and a port that this user may open"
		if errors.Is(err, syscall.EADDRINUSE) {
			advice = "choose another address or stop what uses it"
		}
		return fmt.Errorf("capture.listen %q: %w: %s", settings.Listen, err, advice)
	}
	e.listener = listener
	shoppers, forget := context.WithCancel(context.Background())
	e.forgetShoppers = forget
	e.server = &http.Server{
		Handler: handler, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog: serverLog(e.log), BaseContext: func(net.Listener) context.Context { return shoppers },
		// HTTP/2 without TLS is for programs; here it would only be one more way in.
		Protocols: protocols(),
	}
	if settings.TLS.Cert != "" {
		certificate, err := newCertificate(settings.TLS.Cert, settings.TLS.Key, e.log)
		if err != nil {
			return err
		}
		e.server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get}
	}
	return nil
}

func protocols() *http.Protocols {
	var p http.Protocols
	p.SetHTTP1(true)
	p.SetHTTP2(true)
	return &p
}

// serverLog takes what Go's own server and proxy say.
func serverLog(to *slog.Logger) *log.Logger { return log.New(serverLines{to}, "", 0) }

type serverLines struct{ log *slog.Logger }

// Write implements io.Writer. Whoever scans the internet for open ports makes a handshake error.
func (l serverLines) Write(line []byte) (int, error) {
	level := slog.LevelWarn
	if bytes.Contains(line, []byte("TLS handshake error")) {
		level = slog.LevelDebug
	}
	text := string(bytes.TrimSpace(line))
	if strings.HasPrefix(text, "httputil: ") {
		text = unquoted(text)
	}
	l.log.Log(context.Background(), level, text)
	return len(line), nil
}

// unquoted leaves out what an error of net/http quotes of a response that it cannot read: a session id or an e-mail
// address as well as anything else.
func unquoted(text string) string {
	if before, _, found := strings.Cut(text, `"`); found {
		return before + "…"
	}
	return text
}
