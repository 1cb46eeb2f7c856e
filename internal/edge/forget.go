package edge

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/cjrelay/cjrelay/internal/config"
)

// waitingMetric is what a capture calls the clicks and erasures that Kafka has not acknowledged.
const waitingMetric = "cjrelay_capture_waiting"

// Forget erases a session where no edge runs, behind everything that waits in the spool. It returns how much of that,
// the erasure included, Kafka has not taken within patience and is still in the spool. It returns as soon as that is
// nothing.
func Forget(ctx context.Context, cfg config.Config, log *slog.Logger, session string, patience time.Duration) (left int, err error) {
	clicks, err := NewCapture(cfg, log, patience)
	if err != nil {
		return 0, err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(clicks)
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- clicks.Run(running) }()
	err = clicks.Forget(ctx, session)
	// What is in the spool is produced after the stop, for as long as the drain.
	stop()
	if err := errors.Join(err, <-ended); err != nil {
		return 0, err
	}
	families, err := metrics.Gather()
	if err != nil {
		return 0, err
	}
	for _, family := range families {
		if family.GetName() == waitingMetric {
			return int(family.GetMetric()[0].GetGauge().GetValue()), nil
		}
	}
	return 0, errors.New("the capture does not tell what is left in the spool")
}
