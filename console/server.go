package console

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config sets a Server. Every field but Key, Token, Troubles, Clicks, Letters, Forget and Actions is needed.
type Config struct {
	// Key is the configuration's key that Listen came from, for errors. Empty means admin.listen.
	Key string
	// Listen is the address as host:port, for example 127.0.0.1:9644. An empty host means every interface,
	// port 0 any free port.
	Listen string
	// Token guards what is not open to everybody. Without one, such pages are shown only when the port
	// listens on loopback.
	Token string
	// Metrics is what /metrics shows.
	Metrics prometheus.Gatherer
	// Ready is asked at every /readyz, by several requests at once. It must not wait.
	Ready func() []Check
	// Troubles is asked with Ready. /readyz shows what is wrong in it, and is ready all the same.
	Troubles func() []Check
	// Version is what /version shows.
	Version string
	// Settings is the configuration as YAML, which /config shows as it is: it must have no secret in it.
	Settings []byte
	// Clicks is asked at every /clicks, by several requests at once, and may wait until ctx ends. Its error is
	// shown, so no click id may be in it. Without Clicks there is no such page.
	Clicks func(ctx context.Context, session string, at time.Time) (SessionClicks, error)
	// Letters is asked at every /letters, by several requests at once, and may wait until ctx ends. Its error is shown.
	// Without Letters there is no such page.
	Letters func(ctx context.Context, asked AskedLetters) (Letters, error)
	// Forget is asked at every POST to /sessions/forget, and may wait until ctx ends. Its error is shown, so no session
	// may be in it; a *schema.FieldError is the asker's fault. Without Forget there is no such page.
	Forget func(ctx context.Context, session string) error
	// Actions are what POST /actions/… does, by what follows in the path: sending/hold, held/{stage}/stop. Without
	// Token they are off.
	Actions map[string]Action
	// Log has a line for every action, with who asked for it. It is needed where there are Actions. What net/http
	// itself has to say of a request goes there, too.
	Log *slog.Logger
	// Relay is what the page shows. Without one there is no page.
	Relay Relay
}

// Server is the admin port.
type Server struct {
	config   Config
	listener net.Listener
	server   *http.Server
	// stopping is closed when the port is about to close: pages that are open must let go of it.
	stopping chan struct{}
	past     past
}

const (
	// These bound what a client may take, so that slow ones cannot pile up until the port answers no probe.
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 30 * time.Second
	// idleTimeout is longer than scrapes are usually apart.
	idleTimeout = 2 * time.Minute
	// grace is how long requests in flight may take when Serve ends. It adds to the time that a process needs
	// to stop.
	grace = time.Second
)

// Listen opens the port, so that an address in use is an error at start. The error names the key.
func Listen(config Config) (*Server, error) {
	listener, err := net.Listen("tcp", config.Listen)
	if err != nil {
		advice := "use host:port with an address of this machine and a port that this user may open"
		if errors.Is(err, syscall.EADDRINUSE) {
			advice = "choose another address or stop what uses it"
		}
		return nil, fmt.Errorf("%s %q: %w: %s", cmp.Or(config.Key, "admin.listen"), config.Listen, err, advice)
	}
	return newServer(config, listener), nil
}

func newServer(config Config, listener net.Listener) *Server {
	s := &Server{config: config, listener: listener, stopping: make(chan struct{})}
	s.server = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
	}
	if config.Log != nil {
		s.server.ErrorLog = slog.NewLogLogger(config.Log.Handler(), slog.LevelWarn)
	}
	s.server.RegisterOnShutdown(func() { close(s.stopping) })
	return s
}

// Addr is where the server listens.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until ctx ends, then closes the port, lets requests in flight end for a second and returns
// nil. It may be called once.
func (s *Server) Serve(ctx context.Context) error {
	stopped := make(chan struct{})
	keep := context.AfterFunc(ctx, func() {
		defer close(stopped)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if s.server.Shutdown(patience) != nil {
			_ = s.server.Close()
		}
	})
	remembering, forget := context.WithCancel(ctx)
	var samples sync.WaitGroup
	if s.config.Relay != nil {
		samples.Go(func() { s.remember(remembering) })
	}
	err := s.server.Serve(s.listener)
	forget()
	samples.Wait()
	if !keep() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("admin port %s: %w", s.Addr(), err)
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
	if s.config.Clicks != nil {
		mux.Handle("GET /clicks", s.guarded(s.clicks))
	}
	if s.config.Letters != nil {
		mux.Handle("GET /letters", s.guarded(s.letters))
	}
	if s.config.Forget != nil {
		mux.Handle("POST "+ForgetPath, s.action(s.forget))
	}
	for path, action := range s.config.Actions {
		mux.Handle("POST /actions/"+path, s.action(s.act(action)))
	}
	if s.config.Relay != nil {
		s.pageRoutes(mux)
	}
	return mux
}
