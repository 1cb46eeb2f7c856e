package demo

import (
	"context"
	"errors"
	"time"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// What an operator may see and do goes to the relay of the moment. A restart ends what an operator has set, as it does
// anywhere.
var _ relay.Operated = (*relays)(nil)

var errNoRelay = errors.New("the relay has not started")

// HoldSending implements relay.Operated.
func (r *relays) HoldSending() consumer.Sending {
	if current := r.now(); current != nil {
		return current.HoldSending()
	}
	return consumer.Sending{}
}

// ResumeSending implements relay.Operated.
func (r *relays) ResumeSending() consumer.Sending {
	if current := r.now(); current != nil {
		return current.ResumeSending()
	}
	return consumer.Sending{}
}

// ReleaseHeld implements relay.Operated.
func (r *relays) ReleaseHeld(stage string) (consumer.Held, error) {
	if current := r.now(); current != nil {
		return current.ReleaseHeld(stage)
	}
	return consumer.Held{}, errNoRelay
}

// StopHeld implements relay.Operated.
func (r *relays) StopHeld(stage string) (consumer.Held, error) {
	if current := r.now(); current != nil {
		return current.StopHeld(stage)
	}
	return consumer.Held{}, errNoRelay
}

// RedriveLetter implements relay.Operated.
func (r *relays) RedriveLetter(ctx context.Context, partition, offset string) (relay.Redrive, error) {
	if current := r.now(); current != nil {
		return current.RedriveLetter(ctx, partition, offset)
	}
	return relay.Redrive{}, errNoRelay
}

// RedriveReason implements relay.Operated.
func (r *relays) RedriveReason(ctx context.Context, reason string) (relay.Redrive, error) {
	if current := r.now(); current != nil {
		return current.RedriveReason(ctx, reason)
	}
	return relay.Redrive{}, errNoRelay
}

// letters are the dead letters.
func (r *relays) letters(ctx context.Context, asked console.AskedLetters) (console.Letters, error) {
	if current := r.now(); current != nil {
		return current.Letters(ctx, asked)
	}
	return console.Letters{}, errNoRelay
}

// clicks are those of a session.
func (r *relays) clicks(ctx context.Context, session string, at time.Time) (console.SessionClicks, error) {
	if current := r.now(); current != nil {
		return current.Clicks(ctx, session, at)
	}
	return console.SessionClicks{}, errNoRelay
}
