package relay

import (
	"net/url"
	"strings"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/postback"
)

var _ console.Relay = (*Relay)(nil)

// State implements console.Relay.
func (r *Relay) State() console.State {
	s := shownView(r.consumer.View())
	s.Group, s.Topic = r.config.Orders.Group, r.config.Orders.Topic
	s.Clicks = console.Clicks{Behind: r.table.Behind(), Sessions: r.clicks.Sessions(), Bytes: r.clicks.Size(), Trouble: text(r.table.Ready())}
	return s
}

// shownView is what the consumer says of itself.
func shownView(now consumer.View) console.State {
	s := console.State{
		Paused: names(now.Paused), InMemory: now.InMemory, MaxInMemory: now.MaxInMemory,
		Breaker: []console.Turn{}, Rules: []console.Rule{}, Partitions: []console.Partition{},
	}
	for _, turn := range now.Circuit {
		s.Breaker = append(s.Breaker, console.Turn{At: turn.At.UTC(), State: turn.State.String(), FailedProbes: turn.FailedProbes, Cause: turn.Cause})
	}
	for _, rule := range now.Rules {
		one := console.Rule{
			Stage: rule.Stage, Held: rule.Held, Rejected: rule.Rejected, Latest: rule.Latest, Holding: rule.Everything && rule.Held > 0, Stopped: rule.Stopped,
		}
		if rule.Held > 0 {
			one.Why = text(rule.Why)
		}
		s.Rules = append(s.Rules, one)
	}
	for _, partition := range now.Partitions {
		s.Partitions = append(s.Partitions, shownPartition(partition))
	}
	return s
}

func shownPartition(p consumer.PartitionView) console.Partition {
	shown := console.Partition{
		Partition: p.Partition, Committed: p.Committed, Next: p.Next, End: p.End, Done: [][2]int64{}, Pending: []console.Pending{},
		Counts: map[string]int{}, Paused: names(p.Paused), Stopped: text(p.Stopped),
	}
	for _, done := range p.Done {
		shown.Done = append(shown.Done, [2]int64{done.From, done.To})
	}
	for _, pending := range p.Pending {
		shown.Pending = append(shown.Pending, console.Pending{Offset: pending.Offset, Doing: string(pending.Doing)})
	}
	for doing, count := range p.Counts {
		shown.Counts[string(doing)] = count
	}
	if !p.Oldest.IsZero() {
		oldest := p.Oldest.UTC()
		shown.Oldest = &oldest
	}
	return shown
}

// Orders implements console.Relay.
func (r *Relay) Orders(asked console.Asked, limit int) []console.Order {
	found := r.consumer.Trails(limit, func(t consumer.Trail) bool { return asked.Fits(t.OrderID, string(t.Outcome)) })
	orders := make([]console.Order, len(found))
	for i, trail := range found {
		orders[i] = r.shownOrder(trail)
	}
	return orders
}

func (r *Relay) shownOrder(t consumer.Trail) console.Order {
	shown := console.Order{
		OrderID: t.OrderID, Topic: r.config.Orders.Topic, Partition: t.Partition, Offset: t.Offset, Produced: t.Produced.UTC(),
		Outcome: string(t.Outcome), Reason: string(t.Reason), Doing: string(t.Doing), URL: r.shownURL(t.Query), Omitted: t.Omitted,
	}
	for _, step := range t.Steps {
		shown.Steps = append(shown.Steps, console.Step{
			At: step.At.UTC(), What: step.What, Status: step.Status, LatencyMS: float64(step.Latency.Microseconds()) / 1e3, Detail: step.Detail,
		})
	}
	return shown
}

// shownURL is what CJ gets, but for what is private in it.
func (r *Relay) shownURL(query postback.Query) string {
	params := query.Params()
	if len(params) == 0 {
		return ""
	}
	pairs := make([]string, len(params))
	for i, param := range params {
		value := url.QueryEscape(param.Value)
		if param.Private {
			value = "…"
		}
		pairs[i] = param.Name + "=" + value
	}
	return r.config.CJ.Endpoint + "?" + strings.Join(pairs, "&")
}

func names(reasons []consumer.PauseReason) []string {
	all := make([]string, len(reasons))
	for i, reason := range reasons {
		all[i] = string(reason)
	}
	return all
}

// text is an error's text, empty for none.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
