// Package dryrun asks of Kafka, the schema registry and CJ's host what a run will need of them. It joins no group,
// writes nothing, and sends CJ no request.
package dryrun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// Status is how a check ended.
type Status string

// A Warning lets a run work, with something left to do; with a Failure it does not work.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failure Status = "failed"
)

// Check is one thing that was asked.
type Check struct {
	// Name is kafka, topics, group, registry, orders, clicks or cj.
	Name   string `json:"name"`
	Status Status `json:"status"`
	// Text is what was found, or what is wrong and what to do.
	Text string `json:"text"`
}

func ok(name, format string, args ...any) Check {
	return Check{name, OK, fmt.Sprintf(format, args...)}
}

func warn(name, format string, args ...any) Check {
	return Check{name, Warning, fmt.Sprintf(format, args...)}
}

func failed(name string, err error) Check { return Check{name, Failure, err.Error()} }

// patience is how long Kafka may take for one question.
const patience = 10 * time.Second

// Run asks everything of a configuration that is valid for a run, and hands each check over when it is done. What cannot
// be asked, since what it needs has failed, is left out. It ends early with ctx.
func Run(ctx context.Context, cfg config.Config, each func(Check)) error {
	client, err := kgo.NewClient(append(relay.Kafka(cfg.Kafka), kgo.RetryTimeout(patience))...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	decodeOrder, decodeClick, err := relay.Decoders(cfg, nil)
	if err != nil {
		return err
	}
	k := kafka{client: client, config: cfg}

	reached := k.cluster(ctx)
	each(reached)
	if reached.Status == OK {
		exist, checks := k.topics(ctx)
		for _, check := range checks {
			each(check)
		}
		if exist[cfg.Orders.Topic] {
			each(k.group(ctx))
		}
		if cfg.Orders.Format == config.Avro || cfg.Clicks.Format == config.Avro {
			each(askRegistry(ctx, cfg.Registry))
		}
		if exist[cfg.Orders.Topic] {
			each(k.orders(ctx, decodeOrder))
		}
		if exist[cfg.Clicks.Topic] {
			each(k.clicks(ctx, decodeClick))
		}
	}
	each(reachCJ(ctx, cfg.CJ))
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return nil
}
