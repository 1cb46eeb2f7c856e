package relay_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// running is a relay that runs.
type running struct {
	*relay.Relay
	stop context.CancelFunc
	// over ends when Run has returned; its cause is errHalted or what Run returned.
	over    context.Context
	metrics *prometheus.Registry
	log     *logText
}

var errHalted = errors.New("the relay has stopped")

// start runs a relay until the test ends or halts it.
func (s *shop) start(t *testing.T) *running {
	t.Helper()
	run := &running{metrics: prometheus.NewRegistry(), log: &logText{}}
	cfg := s.config
	cfg.Clicks.Dir = s.dirs.claim(t)
	var err error
	run.Relay, err = relay.New(cfg, slog.New(slog.NewTextHandler(run.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	require.NoError(t, run.Register(run.metrics))
	ctx, stop := context.WithCancel(context.Background())
	over, ended := context.WithCancelCause(context.Background())
	run.stop, run.over = stop, over
	go func() {
		err := run.Run(ctx)
		s.dirs.free(cfg.Clicks.Dir)
		if err == nil {
			err = errHalted
		}
		ended(err)
	}()
	s.relays = append(s.relays, run)
	t.Cleanup(func() {
		stop()
		<-over.Done()
		if t.Failed() {
			t.Logf("log of the relay:\n%s", run.log.String())
		}
	})
	return run
}

// halt stops the relay gracefully and waits for it.
func (r *running) halt(t *testing.T) {
	t.Helper()
	r.stop()
	select {
	case <-r.over.Done():
	case <-time.After(longest):
		require.Fail(t, "the relay does not stop")
	}
	require.Equal(t, errHalted, context.Cause(r.over))
}

// refuses runs a relay that must not start, and returns why.
func (s *shop) refuses(t *testing.T) error {
	t.Helper()
	r := s.start(t)
	select {
	case <-r.over.Done():
	case <-time.After(longest):
		require.Fail(t, "the relay neither starts nor ends")
	}
	require.NotEqual(t, errHalted, context.Cause(r.over))
	return context.Cause(r.over)
}

// waiting is a context for one wait of the test. It ends early when a relay breaks down.
func (s *shop) waiting(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	timer := time.AfterFunc(longest, func() { cancel(errors.New("waited too long")) })
	stops := []func() bool{timer.Stop}
	for _, r := range s.relays {
		if r.over.Err() != nil {
			continue
		}
		stops = append(stops, context.AfterFunc(r.over, func() {
			if err := context.Cause(r.over); err != errHalted {
				cancel(err)
			}
		}))
	}
	return ctx, func() {
		for _, stop := range stops {
			stop()
		}
		cancel(nil)
	}
}

// await looks again and again until it holds.
func (s *shop) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := s.waiting(t)
	defer cancel()
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for !holds() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			require.Fail(t, "never: "+what, context.Cause(ctx))
		}
	}
}

// awaitRequests waits until CJ has received n requests.
func (s *shop) awaitRequests(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := s.waiting(t)
	defer cancel()
	require.NoError(t, s.cj.Wait(ctx, n), "CJ has %d of %d requests: %v", s.cj.Count(), n, context.Cause(ctx))
}

// awaitOutcomes waits until the outcomes topic has n records.
func (s *shop) awaitOutcomes(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := s.waiting(t)
	defer cancel()
	for len(s.seen) < n {
		fetches := s.watch.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "%d of %d orders have an outcome: %v", len(s.seen), n, context.Cause(ctx))
		fetches.EachRecord(func(r *kgo.Record) {
			outcome, err := schema.DecodeOutcome(r.Value)
			require.NoError(t, err)
			s.seen = append(s.seen, outcome)
		})
	}
}

// metric is the value of one series, given the names and values of its labels in turn.
func (r *running) metric(t *testing.T, name string, labels ...string) float64 {
	t.Helper()
	want := map[string]string{}
	for i := 0; i < len(labels); i += 2 {
		want[labels[i]] = labels[i+1]
	}
	families, err := r.metrics.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, series := range family.GetMetric() {
			has := map[string]string{}
			for _, pair := range series.GetLabel() {
				has[pair.GetName()] = pair.GetValue()
			}
			if maps.Equal(has, want) {
				return series.GetGauge().GetValue() + series.GetCounter().GetValue()
			}
		}
	}
	require.Fail(t, "no such series", "%s%v", name, labels)
	return 0
}

// logText is a log that is written and read at once.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// ready is what one check of readiness says.
func (s *shop) ready(r *running, name string) error {
	for _, check := range r.Ready() {
		if check.Name == name {
			return check.Err
		}
	}
	panic("no check of that name: " + name)
}
