package console

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Check is one condition of readiness; Err is nil when it holds.
type Check struct {
	Name string
	Err  error
}

// Config sets a Server.
type Config struct {
	// Listen is the address, for example 127.0.0.1:9644.
	Listen string
	// Token guards what is not open to everybody. Without one, such pages are shown only when the port
	// listens on loopback.
	Token string
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// Ready is asked at every /readyz.
	Ready func() []Check
	// Version and Settings are what /version and /config show; Settings must have no secret in it.
	Version  string
	Settings []byte
}

// Server is the admin port.
type Server struct {
	config   Config
	listener net.Listener
	server   *http.Server
}

// Listen opens the port, so that an address in use is an error at start.
func Listen(config Config) (*Server, error) {
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		return nil, fmt.Errorf("admin.listen %s: %w: choose another address or stop what uses it", config.Listen, err)
	}
	s := &Server{config: config, listener: listener}
	s.server = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	return s, nil
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until ctx ends.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = s.server.Close() })
	defer stop()
	if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.config.Metrics, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]string{"version": s.config.Version})
	})
	mux.Handle("GET /config", s.guarded(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(s.config.Settings)
	}))
	return mux
}

// readyz answers 200 when every check holds and 503 otherwise. ?verbose lists them all; without it only
// what is wrong is listed.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	var text strings.Builder
	status := http.StatusOK
	for _, check := range s.config.Ready() {
		switch {
		case check.Err != nil:
			status = http.StatusServiceUnavailable
			fmt.Fprintf(&text, "[-] %s: %v\n", check.Name, check.Err)
		case r.URL.Query().Has("verbose"):
			fmt.Fprintf(&text, "[+] %s\n", check.Name)
		}
	}
	verdict := "ready"
	if status != http.StatusOK {
		verdict = "not ready"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, "%s%s\n", text.String(), verdict)
}

// guarded lets a request through with the token, or when the port can be reached from this machine only.
func (s *Server) guarded(next http.HandlerFunc) http.Handler {
	address, _ := s.listener.Addr().(*net.TCPAddr)
	local := address != nil && address.IP.IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !local && (s.config.Token == "" || subtle.ConstantTimeCompare([]byte(given), []byte(s.config.Token)) != 1) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this page needs the admin token: set admin.token and send it as Authorization: Bearer", http.StatusUnauthorized)
			return
		}
		next(w, r)
	})
}
