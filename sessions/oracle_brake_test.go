package sessions

import (
	"context"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// brake makes a table slow, or stops it with records in hand.
type brake struct {
	// pace is how long a click takes to decode and a batch to commit.
	pace time.Duration

	mu sync.Mutex
	// left is how many more clicks are decoded before the table is held.
	left int
	// held is closed when the table is held, and goOn when it may go on. Both are nil while the brake is off.
	held, goOn chan struct{}
}

func newBrake() *brake { return &brake{} }

// hold holds the table at the click after the next ones.
func (b *brake) hold(after int) (held <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.held, b.goOn = after, make(chan struct{}), make(chan struct{})
	return b.held
}

// letGo takes the brake off.
func (b *brake) letGo() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.goOn != nil {
		close(b.goOn)
		b.held, b.goOn = nil, nil
	}
}

// due tells whether the click that comes now is held, and until when.
func (b *brake) due() (goOn <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.goOn == nil {
		return nil
	}
	if b.left--; b.left >= 0 {
		return nil
	}
	if b.left == -1 {
		close(b.held)
	}
	return b.goOn
}

func (b *brake) decoder(decode schema.ClickDecoder) schema.ClickDecoder {
	return func(ctx context.Context, value []byte, at time.Time) (schema.Click, error) {
		if goOn := b.due(); goOn != nil {
			select {
			case <-goOn:
			case <-ctx.Done():
				return schema.Click{}, ctx.Err()
			}
		}
		if b.pace > 0 {
			time.Sleep(b.pace)
		}
		return decode(ctx, value, at)
	}
}
