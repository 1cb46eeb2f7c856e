package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/edge"
)

// roleVariable makes this program one of the processes around the measurement, the one that its value names.
const roleVariable = "EDGE_BENCH_ROLE"

const (
	roleShop    = "shop"
	roleKafka   = "kafka"
	roleBare    = "bare proxy"
	roleUp      = "edge, Kafka up"
	roleDown    = "edge, Kafka down"
	roleDurable = "edge, durable"
)

// What a process needs to know of the others, in its environment.
const (
	upstreamVariable = "EDGE_BENCH_UPSTREAM"
	brokersVariable  = "EDGE_BENCH_BROKERS"
	spoolVariable    = "EDGE_BENCH_SPOOL"
)

// pageBytes is the size of the shop's page.
const pageBytes = 20_000

// serving is what a process says of itself when it serves: its address, and that of its admin port.
type serving struct{ Address, Admin string }

// serve plays a role until its standard input ends, which it does when the measuring process is gone.
func serve(role string) {
	var s serving
	var err error
	switch role {
	case roleShop:
		s, err = serveHTTP(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = w.Write(bytes.Repeat([]byte("a"), pageBytes))
		}))
	case roleKafka:
		var kafka *kfake.Cluster
		if kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(6, "cjevent")); err == nil {
			s.Address = kafka.ListenAddrs()[0]
		}
	case roleBare:
		s, err = serveBare()
	default:
		s, err = serveEdge(role)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(s)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "edge, %s: %v\n", role, err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func serveHTTP(handler http.Handler) (serving, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return serving{}, err
	}
	go func() { _ = http.Serve(listener, handler) }()
	return serving{Address: listener.Addr().String()}, nil
}

// serveBare is Go's own proxy, with as many idle connections as it needs, and streaming, as the edge.
func serveBare() (serving, error) {
	upstream, err := url.Parse(os.Getenv(upstreamVariable))
	if err != nil {
		return serving{}, err
	}
	return serveHTTP(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(upstream)
			r.SetXForwarded()
		},
		FlushInterval: -1,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true},
	})
}

func serveEdge(role string) (serving, error) {
	cfg := config.Default()
	cfg.Kafka.Brokers = strings.Split(os.Getenv(brokersVariable), ",")
	cfg.Clicks.Format = config.JSON
	cfg.Capture.Listen, cfg.Capture.AdminListen = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Capture.Upstream, cfg.Capture.SessionCookie = os.Getenv(upstreamVariable), "sid"
	cfg.Capture.SpoolDir, cfg.Capture.Durable = os.Getenv(spoolVariable), role == roleDurable
	// All shoppers of the measurement have one address.
	cfg.Capture.ClientRate, cfg.Capture.ClientBurst = 100_000, 1_000_000
	e, err := edge.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		return serving{}, err
	}
	go func() { _ = e.Run(context.Background()) }()
	return serving{Address: e.Addr(), Admin: e.AdminAddr()}, nil
}

// world is the processes, by role.
type world struct {
	serving   map[string]serving
	pids      map[string]int
	processes []*exec.Cmd
	stdins    []io.Closer
	dir       string
}

func startWorld() (_ *world, err error) {
	w := &world{serving: map[string]serving{}, pids: map[string]int{}}
	if w.dir, err = os.MkdirTemp("", "cjrelay-bench-edge-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.stop()
		}
	}()
	for _, role := range append([]string{roleShop, roleKafka}, contenders...) {
		if err := w.start(role); err != nil {
			return nil, fmt.Errorf("%s: %w", role, err)
		}
	}
	return w, nil
}

func (w *world) start(role string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	brokers := w.serving[roleKafka].Address
	if role == roleDown {
		brokers = "127.0.0.1:1"
	}
	spool, err := os.MkdirTemp(w.dir, "spool-")
	if err != nil {
		return err
	}
	process := exec.Command(self)
	process.Env = append(os.Environ(), roleVariable+"="+role, upstreamVariable+"="+w.address(roleShop), brokersVariable+"="+brokers, spoolVariable+"="+spool)
	process.Stderr = os.Stderr
	stdin, err := process.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := process.StdoutPipe()
	if err != nil {
		return err
	}
	if err := process.Start(); err != nil {
		return err
	}
	w.processes, w.stdins = append(w.processes, process), append(w.stdins, stdin)
	var s serving
	if err := json.NewDecoder(stdout).Decode(&s); err != nil {
		return errors.Join(errors.New("does not serve"), err)
	}
	w.serving[role], w.pids[role] = s, process.Process.Pid
	return nil
}

func (w *world) address(role string) string { return "http://" + w.serving[role].Address }

// check prints what became of the clicks, so that an edge that caught none is not taken for a fast one.
func (w *world) check(out io.Writer) error {
	fmt.Fprintln(out)
	for _, role := range contenders[1:] {
		response, err := http.Get("http://" + w.serving[role].Admin + "/metrics")
		if err != nil {
			return err
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%-20s", role)
		for _, name := range []string{"caught", "spooled", "produced", "undurable"} {
			_, after, _ := strings.Cut(string(text), "\ncjrelay_capture_"+name+"_total ")
			value, _, _ := strings.Cut(after, "\n")
			fmt.Fprintf(out, " %s %s", name, value)
		}
		fmt.Fprintln(out)
	}
	return nil
}

// stop ends every process and removes the spools.
func (w *world) stop() {
	for _, stdin := range w.stdins {
		_ = stdin.Close()
	}
	for _, process := range w.processes {
		late := time.AfterFunc(5*time.Second, func() { _ = process.Process.Kill() })
		_ = process.Wait()
		late.Stop()
	}
	_ = os.RemoveAll(w.dir)
}
