package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/topics"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// worldVariable makes this program serve the world instead of measuring; its value is CJ's answer time.
const worldVariable = "POSTBACKS_WORLD"

const (
	orderSchemaID = 1
	clickSchemaID = 2
	partitions    = 12
	clickID       = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
)

// world is everything that the relay talks to, in a process of its own.
type world struct {
	Brokers            []string
	Registry, Endpoint string
	Admin              string

	process *exec.Cmd
	stdin   io.Closer
}

// serveWorld serves until its standard input ends, which it does when the measuring process is gone.
func serveWorld() {
	latency, err := time.ParseDuration(os.Getenv(worldVariable))
	exitOn(err)
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1))
	exitOn(err)
	registry := srfake.New()
	registry.SeedSchema("order.confirmed-value", 1, orderSchemaID, sr.Schema{Schema: schema.OrderConfirmedSchema})
	registry.SeedSchema("cjevent-value", 1, clickSchemaID, sr.Schema{Schema: schema.CJEventSchema})
	options := []cjtest.Option{cjtest.WithCountsOnly()}
	if latency > 0 {
		rules, err := cjtest.ParseScript("latency=" + latency.String())
		exitOn(err)
		options = append(options, cjtest.WithScript(rules...))
	}
	cj, err := cjtest.Start(options...)
	exitOn(err)
	exitOn(json.NewEncoder(os.Stdout).Encode(world{Brokers: kafka.ListenAddrs(), Registry: registry.URL(), Endpoint: cj.Endpoint(), Admin: cj.URL() + "/_cjtest"}))
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "postbacks world:", err)
		os.Exit(1)
	}
}

// startWorld starts this program again to serve the world.
func startWorld(latency time.Duration) (*world, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	w := &world{process: exec.Command(self)}
	w.process.Env = append(os.Environ(), worldVariable+"="+latency.String())
	w.process.Stderr = os.Stderr
	if w.stdin, err = w.process.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := w.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := w.process.Start(); err != nil {
		return nil, err
	}
	return w, json.NewDecoder(stdout).Decode(w)
}

func (w *world) stop() {
	_ = w.stdin.Close()
	_ = w.process.Wait()
}

// configuration is production's, but for what the world is and that nothing may fail in silence.
func (w *world) configuration(concurrency int) config.Config {
	cfg := config.Default()
	cfg.Kafka.Brokers, cfg.Registry.URL, cfg.CJ.Endpoint = w.Brokers, w.Registry, w.Endpoint
	cfg.Orders.Start = config.StartEarliest
	cfg.CJ.EnterpriseID, cfg.CJ.Actions = "1234567", map[string]string{"sale": "398210"}
	cfg.Delivery.Concurrency = concurrency
	return cfg
}

// fill makes the topics, one click a session and the orders, in Avro, and the queries that the bare loop sends.
func (w *world) fill(cfg config.Config, orders int) ([]postback.Query, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Brokers...))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx := context.Background()
	if _, err := topics.Create(ctx, kadm.NewClient(client), relay.Names(cfg), partitions, 1); err != nil {
		return nil, err
	}
	builder, err := postback.NewBuilder(cfg.CJ.Advertiser())
	if err != nil {
		return nil, err
	}
	confirmed := time.Now().Add(-time.Hour).UTC().Truncate(time.Millisecond)
	queries := make([]postback.Query, orders)
	var failed error
	note := func(_ *kgo.Record, err error) { failed = errors.Join(failed, err) }
	for i := range orders {
		session := fmt.Sprintf("session-%08d", i)
		click, err := schema.EncodeClick(clickSchemaID, schema.Click{ID: clickID, CapturedAt: confirmed.Add(-time.Hour)})
		if err != nil {
			return nil, err
		}
		client.Produce(ctx, &kgo.Record{Topic: cfg.Clicks.Topic, Key: []byte(session), Value: click}, note)
		order, err := sampleOrder(i, session, confirmed)
		if err != nil {
			return nil, err
		}
		value, err := schema.EncodeOrder(orderSchemaID, order)
		if err != nil {
			return nil, err
		}
		client.Produce(ctx, &kgo.Record{Topic: cfg.Orders.Topic, Key: []byte(session), Value: value}, note)
		if queries[i], err = builder.Build(order, clickID, time.Now()); err != nil {
			return nil, err
		}
	}
	if err := client.Flush(ctx); err != nil {
		return nil, err
	}
	return queries, failed
}

// sampleOrder has three lines, as the average basket has.
func sampleOrder(i int, session string, confirmed time.Time) (*schema.Order, error) {
	order := &schema.Order{ID: fmt.Sprintf("ORD-%08d", i), SessionID: session, ConfirmedAt: confirmed, Currency: "USD", Coupons: []string{"SAVE10"}}
	for line := range 3 {
		price, err := schema.ParseMoney(fmt.Sprintf("%d.%02d", 10+line, i%100))
		if err != nil {
			return nil, err
		}
		order.Items = append(order.Items, schema.Item{SKU: fmt.Sprintf("SKU-%d-%d", line, i%50), UnitPrice: price, Quantity: int64(1 + line)})
	}
	return order, nil
}

// acknowledged is how many requests CJ got since the last expect.
func (w *world) acknowledged() (int, error) {
	answer, err := http.Get(w.Admin + "/summary")
	if err != nil {
		return 0, err
	}
	defer func() { _ = answer.Body.Close() }()
	var summary cjtest.Summary
	err = json.NewDecoder(answer.Body).Decode(&summary)
	return summary.Requests, err
}

// expect checks that CJ got exactly that many requests, and starts counting anew.
func (w *world) expect(requests int) error {
	got, err := w.acknowledged()
	if err != nil {
		return err
	}
	if got != requests {
		return fmt.Errorf("CJ got %d requests, not %d", got, requests)
	}
	answer, err := http.Post(w.Admin+"/reset", "", nil)
	if err != nil {
		return err
	}
	return answer.Body.Close()
}
