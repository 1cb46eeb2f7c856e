package consumer

import (
	"context"
	"errors"

	"github.com/cjrelay/cjrelay/schema"
)

// awaitRegistry pauses the partition until the registry has told about this order's schema. It may be called
// for every try; endAwait or the passage's end takes it back once.
func (p *passage) awaitRegistry(err error) {
	if p.awaits {
		p.consumer.health.registry.trouble(err)
		return
	}
	p.awaits = true
	p.trail.step(StepWaits, "the schema registry cannot be asked")
	p.trail.doing(AwaitingRegistry)
	p.consumer.health.registry.enter(err)
	p.consumer.pauses.pause(p.life, PauseRegistry)
}

func (p *passage) endAwait() {
	if p.awaits {
		p.awaits = false
		p.trail.doing(Reading)
		p.consumer.health.registry.leave()
		p.consumer.pauses.resume(p.life, PauseRegistry)
	}
}

// read decodes the record, and asks the registry for as long as asking lasts. It reports whether there is an
// order; otherwise it has concluded, or waits.
func (p *passage) read(asking context.Context) bool {
	order, err := p.consumer.config.Decode(asking, p.record.Value)
	var invalid *schema.InvalidError
	switch {
	case err == nil:
		p.endAwait()
		p.order = order
		p.identify(order)
		p.passes(stageDecode)
		return true
	case errors.As(err, &invalid):
		p.endAwait()
		if invalid.Read != nil && invalid.Read.ID != "" {
			p.identify(invalid.Read)
		}
		p.reject(stageDecode, invalid.Reason, err)
	case p.open.Err() != nil:
		p.abandon()
	default:
		// A registry that cannot be asked says nothing about the order.
		p.awaitRegistry(err)
		p.after(p.backoff(), func() { p.intake(p) })
	}
	return false
}

// identify puts what the order says of itself into its outcome.
func (p *passage) identify(order *schema.Order) {
	p.outcome.OrderID, p.outcome.SessionID, p.outcome.ConfirmedAt = order.ID, order.SessionID, order.ConfirmedAt
	p.trail.change(func(is *Trail) { is.OrderID = order.ID })
	p.outcome.EnterpriseID = p.consumer.config.EnterpriseID
	p.outcome.Action = order.Action
	if name, _, err := p.consumer.config.Builder.Tracker(order.Action); err == nil {
		p.outcome.Action = name
	}
}
