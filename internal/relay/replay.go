package relay

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/postback"
)

// Replay is a relay that does a part of the orders once more, in the group that its configuration names.
type Replay struct {
	*Relay
	sender *pacedSender
}

// NewReplay makes one. It makes at most perSecond attempts a second; 0 is no limit of its own.
func NewReplay(cfg config.Config, log *slog.Logger, replay consumer.Replay, perSecond int) (*Replay, error) {
	sender := &pacedSender{limiter: rate.NewLimiter(rate.Inf, 1), stopped: make(chan struct{})}
	if perSecond > 0 {
		sender.limiter = rate.NewLimiter(rate.Limit(perSecond), 1)
	}
	r, err := assemble(cfg, log, Wiring{}, func(c *consumer.Config) {
		c.Replay = &replay
		sender.Sender, c.Sender = c.Sender, sender
	})
	if err != nil {
		return nil, err
	}
	return &Replay{Relay: r, sender: sender}, nil
}

// Acknowledged is how many orders CJ has acknowledged so far.
func (r *Replay) Acknowledged() int64 { return r.sender.acknowledged.Load() }

// Run works until ctx ends, as Relay.Run does. What waits for its turn then is not sent any more: at a low pace that
// would take longer than the drain.
func (r *Replay) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { close(r.sender.stopped) })()
	return r.Relay.Run(ctx)
}

var errStopped = errors.New("the replay was told to stop")

// pacedSender keeps a pace and counts.
type pacedSender struct {
	consumer.Sender
	limiter      *rate.Limiter
	stopped      chan struct{}
	acknowledged atomic.Int64
}

func (s *pacedSender) Send(ctx context.Context, query postback.Query) postback.Answer {
	turn := s.limiter.Reserve()
	if wait := turn.Delay(); wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.stopped:
			turn.Cancel()
			return postback.Answer{Class: postback.Cancelled, Err: errStopped}
		case <-ctx.Done():
			turn.Cancel()
			return postback.Answer{Class: postback.Cancelled, Err: ctx.Err()}
		}
	}
	answer := s.Sender.Send(ctx, query)
	if answer.Class == postback.Acknowledged {
		s.acknowledged.Add(1)
	}
	return answer
}
