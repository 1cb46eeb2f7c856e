package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/outcomes"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// explainCmd is `cjrelay explain`.
type explainCmd struct {
	configFlag
	OrderID string `arg:"" name:"order-id" help:"The platform's order id."`
	Output  string `short:"o" enum:"text,json" default:"text" help:"Form of the answer: text or json."`
}

// explanation is all that is known of an order. Its JSON is the answer of `cjrelay explain -o json`: fields may be added.
type explanation struct {
	OrderID string `json:"order_id"`
	// Outcomes are those in the outcomes topic, oldest first; OutcomesTrouble says why it could not be read.
	Outcomes        []explainedOutcome `json:"outcomes"`
	OutcomesTrouble string             `json:"outcomes_trouble,omitempty"`
	// Process is what the process at admin.listen has seen of it; Trouble says why it could not be asked.
	Process []console.Order `json:"process"`
	Trouble string          `json:"trouble,omitempty"`
}

type explainedOutcome struct {
	schema.OutcomeRecord
	// Committed tells whether the group's committed offset is past the order, so that it will not be read again. It is
	// nil where the group has no offset: a replay's group is removed when the replay is done.
	Committed *bool
}

// MarshalJSON is the outcome as it stands in the topic, and whether it is committed.
func (o explainedOutcome) MarshalJSON() ([]byte, error) {
	text, err := o.OutcomeRecord.MarshalJSON()
	if err != nil {
		return nil, err
	}
	committed, err := json.Marshal(o.Committed)
	return fmt.Appendf(text[:len(text)-1], `,"committed":%s}`, committed), err
}

// errNotKnown: neither topic nor process knows the order.
var errNotKnown = errors.New("not known: it has no outcome, and the process that was asked has not read it. " +
	"Is it produced to orders.topic, is the id spelt as there, and how far behind is the group (`cjrelay status`)?")

// Run prints what became of the order.
func (c *explainCmd) Run(ctx context.Context, stdio *stdio) error {
	if c.OrderID == "" {
		return &usageError{"ORDER_ID is empty"}
	}
	cfg, err := c.load(config.ForTopics)
	if err != nil {
		return err
	}
	known := explanation{OrderID: c.OrderID, Outcomes: []explainedOutcome{}, Process: []console.Order{}}
	if err := askAdmin(ctx, cfg.Admin, "/orders", url.Values{"id": {c.OrderID}}, &known.Process); err != nil {
		known.Trouble = err.Error()
	}
	found, unread := readOutcomes(ctx, cfg, stdio, c.OrderID)
	switch {
	case unread == nil:
		known.Outcomes = found
	case errors.Is(unread, errInterrupted), len(known.Process) == 0:
		return unread
	default:
		known.OutcomesTrouble = unread.Error()
	}
	switch {
	case c.Output == "json":
		if err := json.NewEncoder(stdio.Out).Encode(known); err != nil {
			return err
		}
	default:
		if err := writeExplanation(stdio.Out, known); err != nil {
			return err
		}
	}
	if len(known.Outcomes)+len(known.Process) == 0 {
		return fmt.Errorf("order %s is %w", schema.Quoted(c.OrderID), errNotKnown)
	}
	return unread
}

// likelyKeys are those of the order's outcomes if the account was as it is now.
func likelyKeys(cj config.CJ, orderID string) []string {
	var keys []string
	for action := range cj.Actions {
		keys = append(keys, schema.OutcomeRecord{EnterpriseID: cj.EnterpriseID, Action: action, OrderID: orderID}.Key())
	}
	return keys
}

// readOutcomes finds the order's outcomes, and whether they are committed.
func readOutcomes(ctx context.Context, cfg config.Config, stdio *stdio, orderID string) ([]explainedOutcome, error) {
	client, err := kgo.NewClient(relay.Kafka(cfg.Kafka)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	progress := newProgress(stdio.Err)
	defer progress.clear()
	show := func(done, total int64) { progress.show("reading topic "+cfg.Outcomes.Topic, done, total, "") }
	found, err := outcomes.Of(ctx, client, cfg.Outcomes.Topic, orderID, likelyKeys(cfg.CJ, orderID), show)
	if ctx.Err() != nil {
		return nil, errInterrupted
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, fmt.Errorf("outcomes.topic %q does not exist: check the name, or make it with `cjrelay topics`", cfg.Outcomes.Topic)
	}
	if err != nil {
		return nil, fmt.Errorf("kafka at %v: %w", cfg.Kafka.Brokers, err)
	}
	explained := make([]explainedOutcome, len(found))
	for i, outcome := range found {
		explained[i].OutcomeRecord = outcome
		if i > 0 && found[i-1].Group == outcome.Group && found[i-1].Partition == outcome.Partition && found[i-1].Offset == outcome.Offset {
			explained[i].Committed = explained[i-1].Committed
			continue
		}
		offsets, err := kadm.NewClient(client).FetchOffsetsForTopics(ctx, outcome.Group, outcome.Topic)
		if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
			return nil, fmt.Errorf("offsets of group %s: %w", outcome.Group, err)
		}
		if at, ok := offsets.Lookup(outcome.Topic, outcome.Partition); ok && at.At >= 0 {
			past := at.At > outcome.Offset
			explained[i].Committed = &past
		}
	}
	return slices.Clip(explained), nil
}
