package relay

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// Parts are what says how an order ends before anything is sent: whether it can be read, with which click it is
// joined, and what CJ would get.
type Parts struct {
	Decode  schema.OrderDecoder
	Table   *sessions.Table
	Builder *postback.Builder

	kafka  []kgo.Opt
	clicks *sessions.Disk
}

// NewParts makes them as configured. The click table's files are in clicks.dir; it reads nothing before Table.Run.
func NewParts(cfg config.Config, log *slog.Logger) (*Parts, error) {
	return newParts(cfg, log, Wiring{})
}

func newParts(cfg config.Config, log *slog.Logger, wiring Wiring) (*Parts, error) {
	kafka := append(Kafka(cfg.Kafka), wiring.Kafka...)
	builder, err := postback.NewBuilder(cfg.CJ.Advertiser())
	if err != nil {
		return nil, fmt.Errorf("cj: %w", err)
	}
	decodeOrder, decodeClick, err := Decoders(cfg, wiring.Registry)
	if err != nil {
		return nil, err
	}
	partitioner, err := schema.NewPartitioner(cfg.Clicks.Partitioner)
	if err != nil {
		return nil, err
	}
	clicks, err := sessions.OpenDisk(sessions.DiskConfig{Dir: cfg.Clicks.Dir, MemoryBytes: int64(cfg.Clicks.Memory), Log: log})
	if err != nil {
		return nil, fmt.Errorf("clicks.dir: %w", err)
	}
	table, err := sessions.Open(sessions.Config{
		Topic: cfg.Clicks.Topic, Layout: sessions.Layout(cfg.Clicks.Join), Orders: cfg.Orders.Topic, Partitioner: partitioner,
		Window: cfg.Clicks.Window, BatchMemory: clicks.BatchMemory(), Decode: decodeClick, Client: kafka, Log: log,
	}, clicks)
	if err != nil {
		return nil, errors.Join(err, clicks.Close())
	}
	return &Parts{Decode: decodeOrder, Table: table, Builder: builder, kafka: kafka, clicks: clicks}, nil
}

// Close gives the click table's files free. Call it once, after Table.Run has returned.
func (p *Parts) Close() error {
	p.Table.Close()
	return p.clicks.Close()
}
