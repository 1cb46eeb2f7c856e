package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// statusCmd is `cjrelay status`.
type statusCmd struct {
	configFlag
	Output string `short:"o" enum:"text,json" default:"text" help:"Form of the answer: text or json."`
}

// status is how things stand. Its JSON is the answer of `cjrelay status -o json`: fields may be added.
type status struct {
	// Process is the one at admin.listen, null where Trouble says why it could not be asked.
	Process *console.State `json:"process"`
	Trouble string         `json:"trouble,omitempty"`
	// Group is the consumer group as Kafka has it, all processes together; null where GroupTrouble says why not.
	Group        *groupStatus `json:"group"`
	GroupTrouble string       `json:"group_trouble,omitempty"`
}

// groupStatus is the consumer group.
type groupStatus struct {
	Name string `json:"name"`
	// State is Kafka's word for it, or "not there yet" for a group that has never run.
	State   string `json:"state"`
	Members int    `json:"members"`
	// Lag is how many offsets lie past the committed ones, Partitions each partition's.
	Lag        int64           `json:"lag"`
	Partitions []groupPosition `json:"partitions"`
}

type groupPosition struct {
	Partition int32 `json:"partition"`
	// Committed is -1 where nothing is.
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	Member    string `json:"member,omitempty"`
}

// Run prints how the process and its group stand.
func (c *statusCmd) Run(ctx context.Context, stdio *stdio) error {
	cfg, err := c.load(config.ForTopics)
	if err != nil {
		return err
	}
	var now status
	var state console.State
	switch err := askAdmin(ctx, cfg.Admin, "/state", nil, &state); {
	case err == nil && len(state.Breaker) == 0:
		now.Trouble = fmt.Sprintf("what answers at %s is not a cjrelay: it has no circuit", cfg.Admin.Listen)
	case err == nil:
		now.Process = &state
	case ctx.Err() != nil:
		return errInterrupted
	default:
		now.Trouble = err.Error()
	}
	if now.Group, err = askGroup(ctx, cfg); err != nil {
		now.GroupTrouble = err.Error()
	}
	if c.Output == "json" {
		err = json.NewEncoder(stdio.Out).Encode(now)
	} else {
		err = writeStatus(stdio.Out, now)
	}
	if err == nil && now.Group == nil {
		// The process may well be on a machine whose admin port we do not reach; Kafka is everybody's.
		return errors.New("the group could not be asked for")
	}
	return err
}

// groupPatience is how long Kafka may take to tell.
const groupPatience = 15 * time.Second

// groupRetry is how long a cluster is left alone that does not know yet where groups are kept.
const groupRetry = 250 * time.Millisecond

// askGroup asks Kafka for the group.
func askGroup(ctx context.Context, cfg config.Config) (*groupStatus, error) {
	ctx, cancel := context.WithTimeout(ctx, groupPatience)
	defer cancel()
	client, err := kgo.NewClient(relay.Kafka(cfg.Kafka)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	lags, err := lagOf(ctx, kadm.NewClient(client), cfg.Orders.Group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return &groupStatus{Name: cfg.Orders.Group, State: "not there yet", Partitions: []groupPosition{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kafka at %v: group %s: %w", cfg.Kafka.Brokers, cfg.Orders.Group, err)
	}
	lag := lags[cfg.Orders.Group]
	group := &groupStatus{Name: cfg.Orders.Group, State: lag.State, Members: len(lag.Members), Partitions: []groupPosition{}}
	for _, one := range lag.Lag.Sorted() {
		if one.Topic != cfg.Orders.Topic {
			continue
		}
		position := groupPosition{Partition: one.Partition, Committed: one.Commit.At, End: one.End.Offset, Lag: max(one.Lag, 0)}
		if one.Member != nil {
			position.Member = one.Member.MemberID
		}
		group.Lag += position.Lag
		group.Partitions = append(group.Partitions, position)
	}
	return group, nil
}

// lagOf asks until a new cluster has made the topic that groups are kept in: the first question makes it.
func lagOf(ctx context.Context, admin *kadm.Client, group string) (kadm.DescribedGroupLags, error) {
	for {
		lags, err := admin.Lag(ctx, group)
		if err == nil {
			err = lags.Error()
		}
		var shards *kadm.ShardErrors
		if errors.As(err, &shards) && len(shards.Errs) > 0 {
			err = shards.Errs[0].Err // one group is asked for, so there is one cause
		}
		if !errors.Is(err, kerr.CoordinatorNotAvailable) {
			return lags, err
		}
		select {
		case <-ctx.Done():
			return lags, err
		case <-time.After(groupRetry):
		}
	}
}

// writeStatus prints how things stand, for people.
func writeStatus(out io.Writer, now status) error {
	var text strings.Builder
	if now.Process != nil {
		writeProcess(&text, now.Process)
	} else {
		fmt.Fprintf(&text, "process   not asked: %s\n", now.Trouble)
	}
	text.WriteString("\n")
	if now.Group != nil {
		writeGroup(&text, now.Group)
	} else {
		fmt.Fprintf(&text, "group     not asked: %s\n", now.GroupTrouble)
	}
	_, err := io.WriteString(out, text.String())
	return err
}

func writeProcess(text *strings.Builder, s *console.State) {
	ready := "ready"
	for _, check := range s.Ready {
		if check.Trouble != "" {
			ready = "NOT READY"
		}
	}
	fmt.Fprintf(text, "process   %s, cjrelay %s, topic %s, group %s\n", ready, s.Version, s.Topic, s.Group)
	for _, check := range s.Ready {
		if check.Trouble != "" {
			fmt.Fprintf(text, "          %s: %s\n", check.Name, check.Trouble)
		}
	}
	turn := s.Breaker[len(s.Breaker)-1]
	fmt.Fprintf(text, "circuit   %s for %s\n", turn.State, s.At.Sub(turn.At).Round(time.Second))
	if turn.Cause != "" {
		fmt.Fprintf(text, "          %s\n", turn.Cause)
	}
	if len(s.Paused) > 0 {
		fmt.Fprintf(text, "paused    %s\n", strings.Join(s.Paused, ", "))
	}
	fmt.Fprintf(text, "clicks    about %d sessions, %d records behind\n", s.Clicks.Sessions, s.Clicks.Behind)
	fmt.Fprintf(text, "orders    %d in memory of %d at most\n", s.InMemory, s.MaxInMemory)
	for _, rule := range s.Rules {
		if rule.Held > 0 {
			fmt.Fprintf(text, "held      %d at %s: %d of the latest %d were rejected; %s\n", rule.Held, rule.Stage, rule.Rejected, rule.Latest, rule.Why)
		}
	}
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\n  PARTITION\tCOMMITTED\tNEXT\tEND\tWITHOUT OUTCOME\tPAUSED\t")
	for _, p := range s.Partitions {
		pending := 0
		for _, count := range p.Counts {
			pending += count
		}
		fmt.Fprintf(table, "  %d\t%d\t%d\t%d\t%d\t%s\t\n", p.Partition, p.Committed, p.Next, p.End, pending, strings.Join(p.Paused, " "))
	}
	_ = table.Flush()
	counts := slices.DeleteFunc(slices.Clone(s.Counts.Outcomes), func(c console.OutcomeCount) bool { return c.Orders == 0 })
	slices.SortStableFunc(counts, func(a, b console.OutcomeCount) int { return int(b.Orders - a.Orders) })
	table = tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	if len(counts) > 0 {
		fmt.Fprintln(table, "\n  OUTCOMES SINCE ITS START\tORDERS")
	}
	for _, count := range counts {
		fmt.Fprintf(table, "  %s\t%d\n", ending(count.Outcome, count.Reason), count.Orders)
	}
	_ = table.Flush()
}

func writeGroup(text *strings.Builder, g *groupStatus) {
	fmt.Fprintf(text, "group     %s: %s, members %d, commit lag %d\n", g.Name, g.State, g.Members, g.Lag)
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	behind := 0
	for _, p := range g.Partitions {
		if p.Lag == 0 && p.Committed >= 0 {
			continue
		}
		if behind++; behind == 1 {
			fmt.Fprintln(table, "\n  PARTITION\tCOMMITTED\tEND\tLAG\tMEMBER\t")
		}
		fmt.Fprintf(table, "  %d\t%d\t%d\t%d\t%s\t\n", p.Partition, p.Committed, p.End, p.Lag, p.Member)
	}
	_ = table.Flush()
}
