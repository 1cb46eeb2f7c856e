package relay

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/internal/version"
	"github.com/cjrelay/cjrelay/schema"
)

// desk is where the dead letters are looked at and sent again for the console.
type desk struct {
	config  config.Config
	kafka   []kgo.Opt
	decode  schema.OrderDecoder
	log     *slog.Logger
	version string
	index   *letters.Index

	// busy has something in it while letters are sent again, and for good after the end.
	busy chan struct{}
	// open ends with the relay.
	open context.Context
	stop context.CancelCauseFunc
}

func newDesk(cfg config.Config, kafka []kgo.Opt, decode schema.OrderDecoder, log *slog.Logger) *desk {
	// Somebody waits for the answer: a cluster that is away is an error soon.
	kafka = append(slices.Clone(kafka), kgo.RetryTimeout(10*time.Second))
	d := &desk{config: cfg, kafka: kafka, decode: decode, log: log, version: version.String(), busy: make(chan struct{}, 1)}
	d.open, d.stop = context.WithCancelCause(context.Background())
	d.index = letters.NewIndex(letters.IndexConfig{Client: kafka, DeadLetters: cfg.DeadLetter.Topic, Orders: cfg.Orders.Topic, Decode: decode})
	return d
}

var errStopping = errors.New("the process stops: what is left another one can send")

// close ends what is being sent again between two transactions and waits for that: an open one would keep readers of
// the orders' topic from what follows it until the brokers give it up. Nothing can be begun after it.
func (d *desk) close() {
	d.stop(errStopping)
	d.busy <- struct{}{}
}
