package dryrun

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/extent"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/topics"
)

// kafka is the cluster of a configuration.
type kafka struct {
	client *kgo.Client
	config config.Config
}

func (k kafka) admin() *kadm.Client { return kadm.NewClient(k.client) }

func (k kafka) cluster(ctx context.Context) Check {
	const name = "kafka"
	metadata, err := k.admin().BrokerMetadata(ctx)
	if err != nil {
		return failed(name, fmt.Errorf("kafka.brokers: no answer from %v: %w", k.config.Kafka.Brokers, err))
	}
	var addresses []string
	for _, broker := range metadata.Brokers {
		addresses = append(addresses, fmt.Sprintf("%s:%d", broker.Host, broker.Port))
	}
	return ok(name, "cluster %s, brokers %s", metadata.Cluster, strings.Join(addresses, ", "))
}

// topics says which of the topics exist, and how they stand: see package topics.
func (k kafka) topics(ctx context.Context) (exist map[string]bool, checks []Check) {
	const name = "topics"
	names := relay.Names(k.config)
	findings, err := topics.Check(ctx, k.admin(), names)
	if err != nil {
		return nil, []Check{failed(name, err)}
	}
	exist = map[string]bool{}
	wrong := 0
	for _, f := range findings {
		if f.Setting == "" && f.Status != topics.Missing {
			exist[f.Topic] = true
		}
		switch {
		case f.Status == topics.Missing:
			checks = append(checks, failed(name, fmt.Errorf("%s does not exist: %s", f.Topic, f.Why)))
		case !f.Good():
			wrong++
			checks = append(checks, warn(name, "%s: %s is %q and should be %s: %s", f.Topic, f.Setting, f.Have, f.Want, f.Why))
		}
	}
	if err := topics.Fatal(findings, names); err != nil && exist[names.Clicks] {
		checks = append(checks, failed(name, err))
	}
	if len(checks) == 0 {
		checks = append(checks, ok(name, "%s, %s, %s and %s are set up as they should be", names.Orders, names.Clicks, names.DeadLetter, names.Outcomes))
	}
	return exist, checks
}

// group says where a run would begin, and how much there is to do.
func (k kafka) group(ctx context.Context) Check {
	const name = "group"
	group, topic := k.config.Orders.Group, k.config.Orders.Topic
	// A cluster that no group has used yet makes a topic of its own first.
	committed, err := backoff.Retry(ctx, func() (kadm.OffsetResponses, error) {
		offsets, err := k.admin().FetchOffsets(ctx, group)
		if err != nil && !kerr.IsRetriable(err) {
			err = backoff.Permanent(err)
		}
		return offsets, err
	}, backoff.WithMaxElapsedTime(patience))
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return failed(name, fmt.Errorf("orders.group %q: %w", group, err))
	}
	if len(committed[topic]) == 0 {
		return k.newGroup(ctx)
	}
	whole, err := extent.Whole(ctx, k.client, topic)
	if err != nil {
		return failed(name, err)
	}
	// A partition without an offset was added since, and is read from its beginning.
	for partition, r := range whole.Partitions {
		if at, ok := committed.Lookup(topic, partition); ok {
			r.From = max(r.From, at.At)
			whole.Partitions[partition] = r
		}
	}
	return ok(name, "%s goes on where it stands, with %d offsets of %s to read", group, whole.Offsets(), topic)
}

// newGroup is a group that has no offsets.
func (k kafka) newGroup(ctx context.Context) Check {
	const name = "group"
	group, topic, start := k.config.Orders.Group, k.config.Orders.Topic, k.config.Orders.Start
	whole, err := extent.Whole(ctx, k.client, topic)
	all := whole.Offsets()
	switch {
	case err != nil:
		return failed(name, err)
	case start == "" && all > 0:
		return failed(name, fmt.Errorf("%s is new and %s holds %d offsets: say in orders.start where to begin: a time, earliest or latest", group, topic, all))
	case start == "":
		return ok(name, "%s is new, and so is %s", group, topic)
	case start == config.StartEarliest:
		return ok(name, "%s is new and begins with the earliest of %s: %d offsets to read, and to pay for what has a click", group, topic, all)
	}
	return ok(name, "%s is new and begins in %s at %s", group, topic, start)
}
