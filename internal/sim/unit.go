//go:build synctests

package sim

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/relay"
)

// unit is one process of the relay, from its start to its end.
type unit struct {
	*relay.Relay
	world   *world
	name    string
	line    *line
	metrics *prometheus.Registry
	log     *logbook
	stop    context.CancelFunc
	// over is closed when Run has returned err.
	over chan struct{}
	err  error

	mu sync.Mutex
	// told and crashed say when it was told to end, and whether without a word. away are the times in which its line
	// was cut or silent.
	told    time.Time
	crashed bool
	away    []interval
	ended   time.Time
}

// start runs one more relay.
func (w *world) start() *unit {
	w.mu.Lock()
	u := &unit{world: w, name: fmt.Sprintf("relay-%d", len(w.units)), line: newLine(w.options.Delay), metrics: prometheus.NewRegistry(), log: newLogbook(), over: make(chan struct{})}
	w.units = append(w.units, u)
	dir := ""
	if n := len(w.dirs); n > 0 {
		dir, w.dirs = w.dirs[n-1], w.dirs[:n-1]
	} else {
		dir = filepath.Join(w.t.TempDir(), u.name)
	}
	w.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	u.stop = stop
	cfg := w.config
	cfg.Clicks.Dir, cfg.Kafka.ClientID = dir, u.name
	wiring := relay.Wiring{Kafka: w.reach(u.line.through(w.dial)), CJ: u.line.through(w.cj.exchange.dialer(u.name)), Registry: w.registry}
	// The label is inherited by every goroutine that the relay starts: that is how they are counted.
	pprof.Do(ctx, pprof.Labels(goroutineLabel, u.label()), func(ctx context.Context) {
		var err error
		u.Relay, err = relay.NewWired(cfg, slog.New(u.log), wiring)
		require.NoError(w.t, err)
		require.NoError(w.t, u.Register(u.metrics))
		go func() {
			err := u.Run(ctx)
			w.mu.Lock()
			w.dirs = append(w.dirs, dir)
			w.mu.Unlock()
			u.mu.Lock()
			u.err, u.ended = err, time.Now()
			u.mu.Unlock()
			close(u.over)
		}()
	})
	return u
}

// goroutineLabel marks the goroutines of a relay.
const goroutineLabel = "simulated-relay"

// label is the unit's among all runs of this process.
func (u *unit) label() string { return fmt.Sprintf("%p/%s", u.world, u.name) }

// leave tells the relay to end, and does not wait.
func (u *unit) leave() {
	u.mu.Lock()
	if u.told.IsZero() {
		u.told = time.Now()
	}
	u.mu.Unlock()
	u.stop()
}

// crash cuts the relay off and then ends it, so that nothing of its ending reaches anybody.
func (u *unit) crash() {
	u.mu.Lock()
	u.crashed = true
	u.mu.Unlock()
	u.line.become(down)
	u.leave()
}

// off keeps the relay's line cut or silent until the returned function is called.
func (u *unit) off(state lineState) (over func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	i := len(u.away)
	u.away = append(u.away, interval{from: time.Now()})
	u.line.become(state)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.away[i].to = time.Now()
		if !u.crashed {
			u.line.become(up)
		}
	}
}

func (u *unit) ending() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return !u.told.IsZero() || !u.ended.IsZero()
}

// gauge sums the series of a metric.
func (u *unit) gauge(name string) float64 {
	sum := 0.0
	for _, family := range u.gather() {
		if family.GetName() == name {
			for _, series := range family.GetMetric() {
				sum += series.GetGauge().GetValue() + series.GetCounter().GetValue()
			}
		}
	}
	return sum
}

func (u *unit) gather() []*dto.MetricFamily {
	families, err := u.metrics.Gather()
	require.NoError(u.world.t, err)
	return families
}

// exposition is all that Prometheus reads.
func (u *unit) exposition() string {
	var text strings.Builder
	for _, family := range u.gather() {
		text.WriteString(family.String())
	}
	return text.String()
}

// notReady are the checks of readiness that fail.
func (u *unit) notReady() []string {
	var failing []string
	for _, check := range u.Ready() {
		if check.Err != nil {
			failing = append(failing, check.Name+": "+check.Err.Error())
		}
	}
	return failing
}

// keep writes the log to a file, where the test's artifacts are.
func (u *unit) keep(dir string) error {
	return os.WriteFile(filepath.Join(dir, u.name+".log"), []byte(u.log.text()), 0o600)
}

// logbook is a slog.Handler that keeps every line, and the moments that checks need.
type logbook struct {
	slog.Handler
	book *book
}

type book struct {
	mu      sync.Mutex
	written strings.Builder
	moments []moment
}

// moment is a line of the log that says what the relay did when.
type moment struct {
	at   time.Time
	what string
	// state is the breaker's, err what failed.
	state, err string
}

// What moments are about.
const (
	partitionsLost    = "partitions lost"
	partitionsRevoked = "partitions revoked"
	breakerOpened     = "breaker opened: nothing is sent and fetching pauses until CJ answers again"
	breakerChanged    = "breaker"
	commitFailed      = "commit failed, will be made again"
)

func newLogbook() *logbook {
	b := &book{}
	return &logbook{Handler: slog.NewTextHandler(b, &slog.HandlerOptions{Level: slog.LevelDebug}), book: b}
}

// Write takes a line of the inner handler.
func (b *book) Write(line []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written.Write(line)
}

// Handle implements slog.Handler.
func (l *logbook) Handle(ctx context.Context, record slog.Record) error {
	if slices.Contains([]string{partitionsLost, partitionsRevoked, breakerOpened, breakerChanged, commitFailed}, record.Message) {
		m := moment{at: record.Time, what: record.Message}
		record.Attrs(func(a slog.Attr) bool {
			switch a.Key {
			case "state":
				m.state = a.Value.String()
			case "error":
				m.err = a.Value.String()
			}
			return true
		})
		l.book.mu.Lock()
		l.book.moments = append(l.book.moments, m)
		l.book.mu.Unlock()
	}
	return l.Handler.Handle(ctx, record)
}

func (l *logbook) text() string {
	l.book.mu.Lock()
	defer l.book.mu.Unlock()
	return l.book.written.String()
}

// when are the moments of some messages, oldest first.
func (l *logbook) when(messages ...string) []moment {
	l.book.mu.Lock()
	defer l.book.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.book.moments), func(m moment) bool { return !slices.Contains(messages, m.what) })
}
