package relay

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// Look is what the relay's click table knows of a session, and its verdict on an order confirmed at that time: see
// sessions.Table.Look. It may be called while Run runs.
func (r *Relay) Look(ctx context.Context, session string, at time.Time) (sessions.Finding, error) {
	return r.table.Look(ctx, session, at)
}

// TopicLook is a look into the click topic itself, with no relay running. It reads the whole topic, every partition
// of it, and keeps one session in memory.
type TopicLook struct {
	Config config.Config
	Log    *slog.Logger
	// Patience is how long nothing may move before it is given up.
	Patience time.Duration
	// Progress is told about four times a second how many records are left to read. It may be nil.
	Progress func(left int64)
}

// Look reads the topic up to its end as it is now.
func (l TopicLook) Look(ctx context.Context, session string, at time.Time) (sessions.Finding, error) {
	// The client's own patience must end first: before that it does not say what is wrong.
	kafka := append(Kafka(l.Config.Kafka), kgo.RetryTimeout(l.Patience/2))
	if err := l.exists(ctx, kafka); err != nil {
		return sessions.Finding{}, err
	}
	decode, err := l.decoder()
	if err != nil {
		return sessions.Finding{}, err
	}
	table, err := sessions.Open(sessions.Config{
		Topic: l.Config.Clicks.Topic, Window: l.Config.Clicks.Window, Only: session, Decode: decode, Client: kafka, Log: l.Log,
		// Nearly all records are another session's and never fill a batch: without a commit after each fetch,
		// nothing would be seen to move before the end.
		BatchMemory: 0,
	}, sessions.NewMemory())
	if err != nil {
		return sessions.Finding{}, err
	}
	defer table.Close()
	// The table goes on until the look is over: one that stops forgets what kept it.
	reading, stopReading := context.WithCancel(ctx)
	looking, giveUp := context.WithCancelCause(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer stopReading()
	defer giveUp(nil)
	running.Go(func() {
		if err := table.Run(reading); err != nil {
			giveUp(err)
		}
	})
	running.Go(func() { l.watch(looking, table, giveUp) })
	return table.Look(looking, session, at)
}

// watch ends a look that does not get on: a table waits for Kafka and the registry for as long as it takes, a
// person does not.
func (l TopicLook) watch(ctx context.Context, table *sessions.Table, giveUp context.CancelCauseFunc) {
	ticker := time.NewTicker(250 * time.Millisecond)
	defer ticker.Stop()
	left, since := table.Behind(), time.Now()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if now := table.Behind(); now != left {
			left, since = now, time.Now()
		}
		if time.Since(since) > l.Patience {
			giveUp(fmt.Errorf("nothing has moved for %s", l.Patience))
			return
		}
		if l.Progress != nil {
			l.Progress(left)
		}
	}
}

// exists tells a topic that is not there, or a cluster that does not answer, from one that is long.
func (l TopicLook) exists(ctx context.Context, options []kgo.Opt) error {
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	topic := l.Config.Clicks.Topic
	listed, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		return fmt.Errorf("kafka at %v: %w", l.Config.Kafka.Brokers, err)
	}
	if !listed.Has(topic) {
		return fmt.Errorf("clicks.topic %q does not exist: make it with `cjrelay topics`", topic)
	}
	return listed.Error()
}

// decoder reads clicks as they are configured.
func (l TopicLook) decoder() (schema.ClickDecoder, error) {
	var registry *schema.Registry
	if l.Config.Clicks.Format == config.Avro {
		client, err := Registry(l.Config.Registry, nil)
		if err != nil {
			return nil, err
		}
		registry = schema.NewRegistry(client)
	}
	return schema.NewClickDecoder(l.Config.Clicks.Format, registry)
}
