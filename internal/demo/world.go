package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/topics"
	"github.com/cjrelay/cjrelay/schema"
)

// partitions is how many each topic has.
const partitions = 12

// world is what the relay works with, all in this process.
type world struct {
	dir      string
	kafka    *kfake.Cluster
	registry *srfake.Registry
	cj       *cjtest.Server
	config   config.Config
}

// open makes a world with its topics and the relay's settings for a pace.
func open(ctx context.Context, p pace) (*world, error) {
	w := &world{}
	if err := w.build(ctx, p); err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

func (w *world) build(ctx context.Context, p pace) (err error) {
	// Kafka's records go to files, so that a large or long demo does not fill the memory.
	if w.dir, err = os.MkdirTemp("", "cjrelay-demo-"); err != nil {
		return fmt.Errorf("a directory for the demo's Kafka: %w", err)
	}
	if w.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(filepath.Join(w.dir, "kafka"))); err != nil {
		return fmt.Errorf("the demo's Kafka: %w", err)
	}
	w.registry = srfake.New()
	if w.cj, err = cjtest.Start(cjtest.WithEnterpriseIDs(enterpriseID), cjtest.WithActions(saleTracker, leadTracker)); err != nil {
		return err
	}
	w.config = settings(w.kafka.ListenAddrs(), w.registry.URL(), w.cj.Endpoint(), filepath.Join(w.dir, "clicks"), p.timeout)
	if err := w.config.Validate(config.ForRun); err != nil {
		return fmt.Errorf("the demo's own configuration: %w", err)
	}
	w.registry.SeedSchema(w.config.Orders.Topic+"-value", 1, orderSchemaID, sr.Schema{Schema: schema.OrderConfirmedSchema})
	w.registry.SeedSchema(w.config.Clicks.Topic+"-value", 1, clickSchemaID, sr.Schema{Schema: schema.CJEventSchema})

	client, err := kgo.NewClient(relay.Kafka(w.config.Kafka)...)
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = topics.Create(ctx, kadm.NewClient(client), relay.Names(w.config), partitions, 1)
	return err
}

func (w *world) close() {
	if w.cj != nil {
		w.cj.Close()
	}
	if w.registry != nil {
		w.registry.Close()
	}
	if w.kafka != nil {
		w.kafka.Close()
	}
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}

// ends are the ends of a topic's partitions.
func (w *world) ends(topic string) map[int32]int64 {
	ends := map[int32]int64{}
	for _, p := range w.kafka.PartitionInfos(topic) {
		ends[p.Partition] = p.HighWatermark
	}
	return ends
}

// uncommitted is how many offsets of each partition of the orders lie past what the group has committed.
func (w *world) uncommitted() map[int32]int64 {
	left := w.ends(w.config.Orders.Topic)
	group := w.kafka.GroupInfo(w.config.Orders.Group)
	if group == nil {
		return left
	}
	for partition, commit := range group.Commits[w.config.Orders.Topic] {
		left[partition] -= commit.Offset
	}
	return left
}
