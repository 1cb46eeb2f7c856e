package edge

import (
	"context"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/topics"
)

// checkTopic says once how the click topic is set up, as soon as Kafka tells. Shoppers do not wait for it. That Kafka
// does not tell is said once, too: else a wrong address or password would show only with the first click.
func (e *Edge) checkTopic(ctx context.Context) {
	client, err := kgo.NewClient(append(relay.Kafka(e.config.Kafka), kgo.RetryTimeout(10*time.Second))...)
	if err != nil {
		e.log.Warn("kafka cannot be asked for the click topic", "error", err)
		return
	}
	defer client.Close()
	admin, names := kadm.NewClient(client), relay.Names(e.config)
	waits := backoff.NewExponentialBackOff()
	waits.MaxInterval = 5 * time.Minute
	level := slog.LevelWarn
	findings, err := backoff.Retry(ctx, func() ([]topics.Finding, error) { return topics.Check(ctx, admin, names) },
		backoff.WithBackOff(waits), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, wait time.Duration) {
			e.log.Log(ctx, level, "kafka does not tell how the click topic is set up; trying again", "error", err, "in", wait.Round(time.Millisecond))
			level = slog.LevelDebug
		}))
	if err != nil {
		return // told to stop
	}
	for _, f := range findings {
		if f.Topic == names.Clicks && !f.Good() {
			e.log.Warn("the click topic is not set up as it should be; `cjrelay topics` tells more", "topic", f.Topic, "status", f.Status,
				"setting", f.Setting, "want", f.Want, "have", f.Have, "why", f.Why)
		}
	}
}
