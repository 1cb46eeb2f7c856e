package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Check compares the cluster's topics with the plan and changes nothing.
func Check(ctx context.Context, admin *kadm.Client, names Names) ([]Finding, error) {
	plan, actual, err := look(ctx, admin, names)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, topic := range plan {
		findings = append(findings, topic.compare(actual[topic.Name])...)
	}
	return findings, nil
}

// look reads what exists and makes the plan that follows from the orders' own settings. A topic that does
// not exist has nil settings.
func look(ctx context.Context, admin *kadm.Client, names Names) ([]Topic, map[string]map[string]string, error) {
	actual := map[string]map[string]string{}
	for _, name := range []string{names.Orders, names.Clicks, names.DeadLetter, names.Outcomes} {
		settings, err := describe(ctx, admin, name)
		if err != nil {
			return nil, nil, err
		}
		actual[name] = settings
	}
	if names.Copartitioned {
		if err := count(ctx, admin, actual); err != nil {
			return nil, nil, err
		}
	}
	retention, bytes := ordersSettings(actual[names.Orders])
	orderPartitions, _ := strconv.Atoi(actual[names.Orders][partitions])
	return Plan(names, retention, bytes, orderPartitions), actual, nil
}

// ordersSettings are the retention of the orders, less than zero for ever, and their largest record. What the
// cluster does not say, or a topic that is not there yet, counts as Kafka's default.
func ordersSettings(settings map[string]string) (retention time.Duration, bytes int64) {
	retention, bytes = 7*day, 1_048_588
	if ms, err := strconv.ParseInt(settings["retention.ms"], 10, 64); err == nil {
		retention = lasting(ms)
	}
	if policy := settings["cleanup.policy"]; hasPolicy(policy, "compact") && !hasPolicy(policy, "delete") {
		retention = unlimited // retention.ms is without effect
	}
	if limit, err := strconv.ParseInt(settings["max.message.bytes"], 10, 64); err == nil {
		bytes = limit
	}
	return retention, bytes
}

// count adds to the settings of topics that exist how many partitions they have.
func count(ctx context.Context, admin *kadm.Client, actual map[string]map[string]string) error {
	// Asking for what we may do is what keeps the answer from coming out of a cache, which does not know yet what
	// was made a moment ago.
	listed, err := admin.ListTopics(kadm.WithAuthorizedOps(ctx), slices.Collect(maps.Keys(actual))...)
	if err != nil {
		return fmt.Errorf("asking for the topics' partitions: %w", err)
	}
	for name, settings := range actual {
		if settings != nil && listed.Has(name) {
			settings[partitions] = strconv.Itoa(len(listed[name].Partitions))
		}
	}
	return nil
}

// describe reads one topic's settings, nil when there is no such topic.
func describe(ctx context.Context, admin *kadm.Client, name string) (map[string]string, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		advice := ""
		if errors.Is(err, kerr.TopicAuthorizationFailed) {
			advice = ": allow DescribeConfigs on it"
		}
		return nil, fmt.Errorf("asking for the settings of topic %s: %w%s", name, err, advice)
	}
	config, err := configs.On(name, nil)
	if err == nil {
		err = config.Err
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the settings of topic %s: %w", name, err)
	}
	settings := map[string]string{}
	for _, setting := range config.Configs {
		settings[setting.Key] = setting.MaybeValue()
	}
	return settings, nil
}
