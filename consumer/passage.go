package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// passage is the way of one order, in a goroutine of its own: decode, join, build, send, and write down how
// it ended. Goroutines are not workers: one that waits (for the registry, the click table, its own time, a
// backoff, an open circuit) holds memory only; attempts are bounded by the breaker's gate.
type passage struct {
	*life
	record  *kgo.Record
	gate    *sessions.Gate
	outcome schema.OutcomeRecord
}

func newPassage(l *life, record *kgo.Record, gate *sessions.Gate) *passage {
	return &passage{life: l, record: record, gate: gate, outcome: schema.OutcomeRecord{
		Group: l.consumer.config.Group, Topic: record.Topic, Partition: record.Partition, Offset: record.Offset,
	}}
}

// ended says how an order ended. A cause is given for dead letters.
type ended struct {
	kind   schema.Kind
	reason schema.Reason
	cause  error
}

// errStopped means that the passage was cut short: the order has no outcome and will be read again.
var errStopped = errors.New("stopped")

// run takes the order to its end.
func (p *passage) run() {
	completed := false
	defer func() { p.leave(p.record, completed) }()
	end, err := p.travel()
	if err != nil {
		return
	}
	completed = p.conclude(*end)
}

// travel goes the way up to the outcome. The only error is errStopped; without one there is an ending.
func (p *passage) travel() (*ended, error) {
	order, end, err := p.decode()
	if end != nil || err != nil {
		return end, err
	}
	if end, err := p.awaitConfirmation(order); end != nil || err != nil {
		return end, err
	}
	click, reason, err := p.join(order)
	if err != nil {
		return nil, err
	}
	if click == "" {
		return &ended{kind: schema.Unattributed, reason: reason}, nil
	}
	query, err := p.consumer.config.Builder.Build(order, click, time.Now())
	if err != nil {
		return &ended{kind: schema.DeadLetter, reason: schema.ReasonUnbuildable, cause: err}, nil
	}
	p.outcome.CJEvent, p.outcome.QuerySHA256 = click, query.SHA256()
	return p.deliver(query, reason)
}

// decode reads the record. A registry that cannot be asked says nothing about the order, which waits.
func (p *passage) decode() (*schema.Order, *ended, error) {
	waits := p.consumer.newBackoff()
	waiting := false
	for {
		order, err := p.consumer.config.Decode(p.work, p.record.Value)
		if waiting && !errors.Is(err, schema.ErrUnavailable) {
			p.consumer.pauses.resume(p.partition, PauseRegistry)
			p.consumer.health.registry.over()
			waiting = false
		}
		var invalid *schema.InvalidError
		switch {
		case err == nil:
			p.know(order)
			return order, nil, nil
		case errors.As(err, &invalid):
			return nil, &ended{kind: schema.DeadLetter, reason: invalid.Reason, cause: err}, nil
		case p.work.Err() != nil:
			return nil, nil, errStopped
		}
		p.consumer.health.registry.trouble(err)
		if !waiting {
			waiting = true
			p.consumer.pauses.pause(p.partition, PauseRegistry)
		}
		if !sleep(p.open, waits.Next()) {
			p.consumer.pauses.resume(p.partition, PauseRegistry)
			return nil, nil, errStopped
		}
	}
}

// know puts what the order says of itself into its outcome.
func (p *passage) know(order *schema.Order) {
	p.outcome.OrderID, p.outcome.SessionID, p.outcome.ConfirmedAt = order.ID, order.SessionID, order.ConfirmedAt
	p.outcome.EnterpriseID = p.consumer.config.EnterpriseID
	p.outcome.Action = order.Action
	if name, _, err := p.consumer.config.Builder.Tracker(order.Action); err == nil {
		p.outcome.Action = name
	}
}

// awaitConfirmation waits for an order that says it is confirmed a little later than our clock: CJ refuses
// an event in the future, and clocks differ.
func (p *passage) awaitConfirmation(order *schema.Order) (*ended, error) {
	ahead := time.Until(order.ConfirmedAt)
	if ahead <= 0 {
		return nil, nil
	}
	if ahead > p.consumer.config.FutureTolerance {
		return &ended{kind: schema.DeadLetter, reason: schema.ReasonFuture, cause: &schema.FieldError{
			Field: "confirmed_at", Value: order.ConfirmedAt.Format(time.RFC3339),
			Rule: "lies more than " + p.consumer.config.FutureTolerance.String() + " in the future: check the platform's clock and time zone",
		}}, nil
	}
	if !sleep(p.open, ahead) {
		return nil, errStopped
	}
	return nil, nil
}

// patience is how long an order waits for the click table before fetching pauses for it.
const patience = time.Second

// join finds the click that counts, or says why there is none. With a click the reason says where it is from.
func (p *passage) join(order *schema.Order) (click string, reason schema.Reason, err error) {
	if order.Consent != nil && !*order.Consent {
		return "", schema.ReasonNoConsent, nil
	}
	if order.CJEvent != "" {
		if schema.ValidClickID(order.CJEvent) == nil {
			return order.CJEvent, schema.ReasonCarried, nil
		}
		p.consumer.metrics.illegalCarried.Inc()
	}
	if order.SessionID == "" {
		return "", schema.ReasonNoSession, nil
	}
	if err := p.awaitTable(); err != nil {
		return "", "", err
	}
	found, miss := p.consumer.config.Clicks.Lookup(order.SessionID, order.ConfirmedAt)
	if miss != "" {
		return "", miss, nil
	}
	return found.ID, schema.ReasonJoined, nil
}

// awaitTable waits until the click table is fresh for this order's batch.
func (p *passage) awaitTable() error {
	short, cancel := context.WithTimeout(p.open, patience)
	defer cancel()
	if p.gate.Wait(short) == nil {
		return nil
	}
	p.consumer.pauses.pause(p.partition, PauseFreshness)
	defer p.consumer.pauses.resume(p.partition, PauseFreshness)
	if p.gate.Wait(p.open) != nil {
		return errStopped
	}
	return nil
}

// deliver makes attempts until CJ acknowledges or rejects the order. The query never changes on the way.
func (p *passage) deliver(query postback.Query, origin schema.Reason) (*ended, error) {
	waits := p.consumer.newBackoff()
	for {
		answer, err := p.attempt(query)
		if err != nil {
			return nil, err
		}
		switch answer.Class {
		case postback.Acknowledged:
			return &ended{kind: schema.Acknowledged, reason: origin}, nil
		case postback.Rejected:
			return &ended{kind: schema.DeadLetter, reason: schema.ReasonRejected, cause: answer.Err}, nil
		case postback.Cancelled:
			return nil, errStopped
		}
		if !sleep(p.open, waits.Next()) {
			return nil, errStopped
		}
	}
}

// attempt makes one request, when the breaker lets it, and tells the breaker what it says about CJ.
func (p *passage) attempt(query postback.Query) (postback.Answer, error) {
	c := p.consumer
	permit, err := c.config.Breaker.Acquire(p.open, p.outcome.Key())
	if err != nil {
		return postback.Answer{}, errStopped
	}
	defer permit.Done(breaker.Cancelled)
	answer := c.config.Sender.Send(p.work, query)
	c.metrics.attempts.WithLabelValues(answer.Class.String()).Inc()
	c.metrics.attemptSeconds.Observe(answer.Latency.Seconds())
	if answer.Class == postback.Cancelled {
		return answer, nil
	}
	p.outcome.Attempts++
	p.outcome.Status = answer.Status
	switch answer.Class {
	case postback.Acknowledged, postback.Rejected:
		permit.Done(breaker.Succeeded)
		c.health.endpoint.over()
	case postback.Setup:
		permit.Done(breaker.Failed)
		c.health.endpoint.trouble(answer.Err)
	default:
		permit.Done(breaker.Failed)
	}
	if answer.RetryAfter > 0 {
		c.config.Breaker.Hold(min(answer.RetryAfter, c.config.RetryAfterCap))
	}
	return answer, nil
}

// conclude writes down how the order ended and reports whether that is durable.
func (p *passage) conclude(end ended) bool {
	p.outcome.Outcome, p.outcome.Reason, p.outcome.At = end.kind, end.reason, time.Now().UTC()
	if end.kind == schema.DeadLetter {
		p.consumer.config.Log.Warn("dead letter", "reason", end.reason, "error", end.cause, "order_id", p.outcome.OrderID,
			"partition", p.partition, "offset", p.record.Offset)
		if !p.consumer.journal.deadLetter(p.work, p.record, p.outcome, end.cause) {
			return false
		}
	}
	if !p.consumer.journal.outcome(p.work, p.outcome) {
		return false
	}
	p.consumer.metrics.outcomes.WithLabelValues(string(end.kind), string(end.reason)).Inc()
	return true
}

// sleep waits for d and reports whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
