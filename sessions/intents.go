package sessions

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// intent is a change of what the client reads. It may put groups of its own before those that the client reads.
type intent func(*kgo.Client) []group

// intents wait for the goroutine that polls. Only that one carries them out, between two polls: then every record
// in its hands belongs to the reading that is on.
type intents struct {
	mu    sync.Mutex
	queue []intent
	wake  context.CancelFunc
}

func (i *intents) put(next intent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.queue = append(i.queue, next)
	if i.wake != nil {
		i.wake()
	}
}

// take returns what is due, and the context for the next poll, which ends when there is more.
func (i *intents) take(ctx context.Context) (due []intent, polling context.Context, cancel context.CancelFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	due, i.queue = i.queue, nil
	polling, i.wake = context.WithCancel(ctx)
	return due, polling, i.wake
}
