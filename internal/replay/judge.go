package replay

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// judge says how an order would end, without sending it. It must agree with the way of an order in package consumer,
// up to CJ's own answer.
type judge struct {
	parts        *relay.Parts
	enterpriseID string
	// tolerance is how far ahead of our clock an order may be confirmed.
	tolerance time.Duration
}

// verdict is how an order would end.
type verdict struct {
	// kind is Acknowledged for one that would be sent.
	kind   schema.Kind
	reason schema.Reason
	// query is the hash of what would be sent.
	query string
}

// reading is an order as it was read, or why it cannot be.
type reading struct {
	// order is nil where it cannot be read; reason says why.
	order  *schema.Order
	reason schema.Reason
	key    digest
}

// read decodes a record and finds its outcome's key. An error is the registry's and says nothing about the record.
func (j *judge) read(ctx context.Context, record *kgo.Record) (reading, error) {
	order, err := j.parts.Decode(ctx, record.Value)
	outcome := schema.OutcomeRecord{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
	var invalid *schema.InvalidError
	switch {
	case err == nil:
		j.identify(&outcome, order)
		return reading{order: order, key: digestOf(outcome.Key())}, nil
	case !errors.As(err, &invalid):
		return reading{}, err
	}
	if invalid.Read != nil && invalid.Read.ID != "" {
		j.identify(&outcome, invalid.Read)
	}
	return reading{reason: invalid.Reason, key: digestOf(outcome.Key())}, nil
}

func (j *judge) identify(outcome *schema.OutcomeRecord, order *schema.Order) {
	outcome.OrderID, outcome.EnterpriseID, outcome.Action = order.ID, j.enterpriseID, order.Action
	if name, _, err := j.parts.Builder.Tracker(order.Action); err == nil {
		outcome.Action = name
	}
}

// judge joins an order anew. The click table must be fresh.
func (j *judge) judge(r reading, partition int32, now time.Time) (verdict, error) {
	order := r.order
	switch {
	case order == nil:
		return verdict{kind: schema.DeadLetter, reason: r.reason}, nil
	case order.ConfirmedAt.Sub(now) > j.tolerance:
		return verdict{kind: schema.DeadLetter, reason: schema.ReasonFuture}, nil
	case order.Consent != nil && !*order.Consent:
		return verdict{kind: schema.Unattributed, reason: schema.ReasonNoConsent}, nil
	case order.CJEvent != "" && schema.ValidClickID(order.CJEvent) == nil:
		return j.with(order, order.CJEvent, schema.ReasonCarried, now), nil
	case order.SessionID == "":
		return verdict{kind: schema.Unattributed, reason: schema.ReasonNoSession}, nil
	}
	click, miss, err := j.parts.Table.Lookup(partition, order.SessionID, order.ConfirmedAt)
	switch {
	case err != nil:
		return verdict{}, err
	case miss == schema.ReasonWrongPartition:
		return verdict{kind: schema.DeadLetter, reason: miss}, nil
	case miss != "":
		return verdict{kind: schema.Unattributed, reason: miss}, nil
	}
	return j.with(order, click.ID, schema.ReasonJoined, now), nil
}

// with is the verdict on an order that has a click.
func (j *judge) with(order *schema.Order, click string, origin schema.Reason, now time.Time) verdict {
	// One that is confirmed a moment from now waits for that moment.
	if order.ConfirmedAt.After(now) {
		now = order.ConfirmedAt
	}
	query, err := j.parts.Builder.Build(order, click, now)
	if err != nil {
		return verdict{kind: schema.DeadLetter, reason: schema.ReasonUnbuildable}
	}
	return verdict{kind: schema.Acknowledged, reason: origin, query: query.SHA256()}
}

// sameQuery tells whether a verdict sends what CJ has acknowledged.
func (h *history) sameQuery(v verdict) bool {
	return v.kind == schema.Acknowledged && v.query == hex.EncodeToString(h.query[:])
}
