package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/consumer"
)

// Operated is what an operator may change while it runs; a Relay is.
type Operated interface {
	HoldSending() consumer.Sending
	ResumeSending() consumer.Sending
	ReleaseHeld(stage string) (consumer.Held, error)
	StopHeld(stage string) (consumer.Held, error)
	RedriveLetter(ctx context.Context, partition, offset string) (Redrive, error)
	RedriveReason(ctx context.Context, reason string) (Redrive, error)
}

// sendingAnswer is the answer to actions on sending. Fields may be added to it, and to heldAnswer.
type sendingAnswer struct {
	// Sending is on or held.
	Sending string `json:"sending"`
	// Since is when the hold began, RFC 3339.
	Since string `json:"since,omitempty"`
	// Changed tells whether this action has changed it.
	Changed bool `json:"changed"`
}

// heldAnswer is the answer to actions on what the mass rule holds.
type heldAnswer struct {
	Stage string `json:"stage"`
	// Held counts the orders that are held, those being tried again among them.
	Held int `json:"held"`
	// Stopped tells that none is tried again or let go.
	Stopped bool `json:"stopped"`
}

// Actions are what an operator may have the processor do, by their paths.
func Actions(o Operated) map[string]console.Action {
	return map[string]console.Action{
		"sending/hold":         sending(o.HoldSending),
		"sending/resume":       sending(o.ResumeSending),
		"held/{stage}/release": held(o.ReleaseHeld),
		"held/{stage}/stop":    held(o.StopHeld),
		"letters/{partition}/{offset}/redrive": func(ctx context.Context, asked func(string) string) (any, error) {
			return o.RedriveLetter(ctx, asked("partition"), asked("offset"))
		},
		"letters/redrive": func(ctx context.Context, asked func(string) string) (any, error) {
			return o.RedriveReason(ctx, asked("reason"))
		},
	}
}

func sending(do func() consumer.Sending) console.Action {
	return func(context.Context, func(string) string) (any, error) {
		now := do()
		answer := sendingAnswer{Sending: "on", Changed: now.Changed}
		if !now.Held.IsZero() {
			answer.Sending, answer.Since = "held", now.Held.UTC().Format(time.RFC3339)
		}
		return answer, nil
	}
}

func held(do func(stage string) (consumer.Held, error)) console.Action {
	return func(_ context.Context, asked func(string) string) (any, error) {
		stage := asked("stage")
		now, err := do(stage)
		var unknown *consumer.UnknownStageError
		if errors.As(err, &unknown) {
			return nil, fmt.Errorf("%w: %w", console.ErrNoSuch, err)
		}
		return heldAnswer{Stage: stage, Held: now.Orders, Stopped: now.Stopped}, err
	}
}
