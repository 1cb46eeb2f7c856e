package relay

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
)

// Home finds the partition of an order where orders and clicks are co-partitioned: that of its session, wherever its
// own producer had put it. Otherwise it is nil: orders stay where they were.
func Home(ctx context.Context, client *kgo.Client, cfg config.Config, decode schema.OrderDecoder) (func(context.Context, *kgo.Record) int32, error) {
	if cfg.Clicks.Join != config.JoinCopartitioned {
		return nil, nil
	}
	partitioner, err := schema.NewPartitioner(cfg.Clicks.Partitioner)
	if err != nil {
		return nil, err
	}
	topics, err := kadm.NewClient(client).ListTopics(ctx, cfg.Orders.Topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("asking for topic %s: %w", cfg.Orders.Topic, err)
	}
	partitions := len(topics[cfg.Orders.Topic].Partitions)
	return func(ctx context.Context, record *kgo.Record) int32 {
		order, err := decode(ctx, record.Value)
		if err != nil || order.SessionID == "" {
			return record.Partition
		}
		return int32(partitioner([]byte(order.SessionID), partitions))
	}, nil
}
