// Package relay puts the rooms together: it makes a running stream processor out of a configuration.
package relay

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/topics"
	"github.com/cjrelay/cjrelay/internal/version"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/sessions"
)

// Relay is one stream processor. Use New, then Run once.
type Relay struct {
	config   config.Config
	log      *slog.Logger
	kafka    []kgo.Opt
	clicks   *sessions.Disk
	table    *sessions.Table
	client   *postback.Client
	gate     *breaker.Gate
	consumer *consumer.Consumer
	desk     *desk
}

// New checks what can be checked without a connection.
func New(cfg config.Config, log *slog.Logger) (*Relay, error) { return NewWired(cfg, log, Wiring{}) }

// NewWired is New on the network of wiring.
func NewWired(cfg config.Config, log *slog.Logger, wiring Wiring) (*Relay, error) {
	return assemble(cfg, log, wiring, func(*consumer.Config) {})
}

// assemble puts the rooms together, the consumer with what change makes of its settings.
func assemble(cfg config.Config, log *slog.Logger, wiring Wiring, change func(*consumer.Config)) (*Relay, error) {
	client, err := postback.NewClient(postback.ClientConfig{
		Endpoint: cfg.CJ.Endpoint, Timeout: cfg.CJ.Timeout, Concurrency: cfg.Delivery.Concurrency, UserAgent: "cjrelay/" + version.String(),
		Dial: wiring.CJ,
	})
	if err != nil {
		return nil, fmt.Errorf("cj: %w", err)
	}
	parts, err := newParts(cfg, log, wiring)
	if err != nil {
		return nil, err
	}
	gate := breaker.New(circuit(cfg))
	settings := delivery(cfg)
	settings.Decode, settings.Clicks, settings.Builder, settings.Sender, settings.Breaker = parts.Decode, parts.Table, parts.Builder, client, gate
	settings.Client, settings.Log = parts.kafka, log
	change(&settings)
	return &Relay{
		config: cfg, log: log, kafka: parts.kafka, clicks: parts.clicks, table: parts.Table, client: client, gate: gate, consumer: consumer.New(settings),
		desk: newDesk(cfg, parts.kafka, parts.Decode, log),
	}, nil
}

// circuit is how the breaker is configured.
func circuit(cfg config.Config) breaker.Config {
	return breaker.Config{
		Concurrency: cfg.Delivery.Concurrency, ConsecutiveOrders: cfg.Breaker.ConsecutiveOrders, FailureRate: cfg.Breaker.FailureRate,
		MinSamples: cfg.Breaker.MinSamples, Open: cfg.Breaker.Open, Probes: cfg.Breaker.Probes, Window: cfg.Breaker.Window,
		Rate: cfg.Delivery.Rate,
	}
}

// delivery is how the consumer is configured, without the other rooms.
func delivery(cfg config.Config) consumer.Config {
	return consumer.Config{
		Topic: cfg.Orders.Topic, Group: cfg.Orders.Group, Start: start(cfg.Orders), EnterpriseID: cfg.CJ.EnterpriseID,
		DeadLetterTopic: cfg.DeadLetter.Topic, OutcomesTopic: cfg.Outcomes.Topic, Version: version.String(),
		BackoffInitial: cfg.Delivery.BackoffInitial, BackoffMax: cfg.Delivery.BackoffMax,
		CommitInterval: cfg.Delivery.CommitInterval, Drain: cfg.Delivery.Drain, FutureTolerance: cfg.Delivery.FutureTolerance,
		Concurrency: cfg.Delivery.Concurrency, MassSamples: cfg.Delivery.MassSamples, MassWait: cfg.Delivery.MassWait, Duplicates: cfg.Delivery.Duplicates,
		MaxPending: cfg.Orders.MaxPending, MaxPendingBytes: int(cfg.Orders.MaxPendingBytes), MaxPendingPerPartition: cfg.Orders.MaxPendingPerPartition,
		RetryAfterCap: cfg.CJ.RetryAfterCap, SessionTimeout: cfg.Kafka.SessionTimeout, RebalanceTimeout: cfg.Kafka.RebalanceTimeout,
		InstanceID: cfg.Kafka.InstanceID,
	}
}

// Kafka is how to reach the cluster.
func Kafka(kafka config.Kafka) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(kafka.Brokers...), kgo.ClientID(kafka.ClientID)}
}

// Names are the topics of a configuration.
func Names(cfg config.Config) topics.Names {
	return topics.Names{
		Orders: cfg.Orders.Topic, Clicks: cfg.Clicks.Topic, DeadLetter: cfg.DeadLetter.Topic, Outcomes: cfg.Outcomes.Topic, Window: cfg.Clicks.Window,
		Copartitioned: cfg.Clicks.Join == config.JoinCopartitioned,
	}
}

func start(orders config.Orders) consumer.Start {
	switch at, isTime := orders.StartTime(); {
	case isTime:
		return consumer.At(at)
	case orders.Start == config.StartEarliest:
		return consumer.Earliest()
	case orders.Start == config.StartLatest:
		return consumer.Latest()
	default:
		return consumer.Start{}
	}
}

// Run works until ctx ends, then stops gracefully. It refuses to start without a compacted click topic.
func (r *Relay) Run(ctx context.Context) (err error) {
	defer r.client.Close()
	defer func() {
		if err := r.clicks.Close(); err != nil {
			r.log.Warn("the end of the click table is not on disk, and will be read from the topic again", "error", err)
		}
	}()
	defer r.table.Close()
	defer r.desk.close()
	switch err := r.checkTopics(ctx); {
	case err != nil && ctx.Err() != nil:
		return nil // told to stop before there was anything to stop
	case err != nil:
		return err
	}
	// The consumer drains after ctx has ended, and orders under way may still need the table.
	tableContext, closeTable := context.WithCancel(context.WithoutCancel(ctx))
	defer closeTable()
	group, running := errgroup.WithContext(ctx)
	group.Go(func() error { return r.table.Run(tableContext) })
	group.Go(func() error {
		defer closeTable()
		return r.consumer.Run(running)
	})
	return group.Wait()
}

// checkTopics refuses what cannot work and warns of what will hurt later.
func (r *Relay) checkTopics(ctx context.Context) error {
	client, err := kgo.NewClient(append(slices.Clone(r.kafka), kgo.RetryTimeout(30*time.Second))...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	names := Names(r.config)
	admin := kadm.NewClient(client)
	// A restart while Kafka is away must not become a crash loop at once.
	findings, err := backoff.Retry(ctx, func() ([]topics.Finding, error) { return topics.Check(ctx, admin, names) },
		backoff.WithMaxElapsedTime(time.Minute), backoff.WithNotify(func(err error, wait time.Duration) {
			r.log.Warn("kafka cannot be asked for the topics, trying again", "error", err, "in", wait)
		}))
	if err != nil {
		return fmt.Errorf("kafka at %v: %w", r.config.Kafka.Brokers, err)
	}
	for _, f := range findings {
		if !f.Good() {
			r.log.Warn("topic is not set up as it should be; `cjrelay topics` tells more", "topic", f.Topic, "status", f.Status,
				"setting", f.Setting, "want", f.Want, "have", f.Have, "why", f.Why)
		}
	}
	return topics.Fatal(findings, names)
}

// Ready lists what must hold for the relay to do its work.
func (r *Relay) Ready() []consumer.Check { return r.consumer.Ready() }

// Lag is how much work is left.
func (r *Relay) Lag() consumer.Lag { return r.consumer.Lag() }

// Breaker is the state of the circuit.
func (r *Relay) Breaker() breaker.State { return r.gate.State() }

// Register adds the relay's metrics.
func (r *Relay) Register(registry *prometheus.Registry) error {
	for _, collector := range append(connections(r.client), r.consumer, r.table) {
		if err := registry.Register(collector); err != nil {
			return err
		}
	}
	return nil
}
