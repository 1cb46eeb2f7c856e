package edge

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/relay"
)

const (
	// askEvery is how often Kafka is asked whether it answers, and askAgain how often while it does not.
	askEvery = 30 * time.Second
	askAgain = 5 * time.Second
	// kafkaTrouble is what a capture calls it when clicks do not get to Kafka.
	kafkaTrouble = "kafka"
)

// reach knows whether Kafka answers. A capture knows that only of clicks: on a quiet night a wrong address or password
// would look well until the first shopper lands. It is safe for concurrent use.
type reach struct {
	mu  sync.Mutex
	err error
}

// watch asks until ctx ends.
func (r *reach) watch(ctx context.Context, ask func(context.Context) error) {
	for {
		err, wait := ask(ctx), askEvery
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			err, wait = fmt.Errorf("no broker answers: %w", err), askAgain
		}
		r.set(err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

func (r *reach) set(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

// trouble is why Kafka does not answer, or nil. It is nil as well until Kafka was asked.
func (r *reach) trouble() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// watchKafka asks a broker for nothing in particular, which takes a connection and a password that work, and no rights.
func (e *Edge) watchKafka(ctx context.Context) {
	client, err := kgo.NewClient(relay.Kafka(e.config.Kafka)...)
	if err != nil {
		e.reach.set(err)
		return
	}
	defer client.Close()
	e.reach.watch(ctx, client.Ping)
}

// troubles are the capture's. What it knows of Kafka says more than that no broker answers.
func (e *Edge) troubles() []console.Check {
	all := checks(e.capture.Troubles())
	for i := range all {
		if all[i].Name == kafkaTrouble && all[i].Err == nil {
			all[i].Err = e.reach.trouble()
		}
	}
	return all
}
