// Package topics knows how our four topics must be set up, makes those that are missing and checks those
// that exist.
package topics

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	day = 24 * time.Hour
	// unlimited is Kafka's "for ever" in a retention.
	unlimited = -1
	// deadLetterHeadroom is what our headers may add to an order.
	deadLetterHeadroom = 64 << 10
)

// Names are the topics of one set-up and the attribution window that their retention follows.
type Names struct {
	Orders, Clicks, DeadLetter, Outcomes string
	Window                               time.Duration
}

// Topic is one topic as it should be.
type Topic struct {
	// Role is what the topic is for: orders, clicks, dead_letter or outcomes.
	Role, Name string
	Settings   []Setting
}

// Setting is one topic configuration. More than asked for is fine.
type Setting struct {
	Key, Value string
	// Why says what goes wrong without it.
	Why string
	ok  func(actual string) bool
}

// Finding is what a check or a creation says about one topic or one of its settings.
type Finding struct {
	Topic string `json:"topic"`
	// Setting is empty when the finding is about the topic as a whole.
	Setting string `json:"setting,omitempty"`
	Want    string `json:"want,omitempty"`
	Have    string `json:"have,omitempty"`
	// Status is ok, created, missing or wrong.
	Status string `json:"status"`
	Why    string `json:"why,omitempty"`
}

// Good tells whether nothing is left to do.
func (f Finding) Good() bool { return f.Status == "ok" || f.Status == "created" }

// Plan is how the topics should be, given the orders' retention and largest record.
func Plan(names Names, orderRetention time.Duration, orderBytes int64) []Topic {
	clicks := Topic{Role: "clicks", Name: names.Clicks}
	clicks.require("cleanup.policy", "compact,delete", func(actual string) bool {
		policies := strings.Split(actual, ",")
		return slices.Contains(policies, "compact") && slices.Contains(policies, "delete")
	}, "without compact a restart reads every click ever made; without delete they are kept for ever")
	lag := names.Window + 7*day
	retention := time.Duration(unlimited)
	if orderRetention >= 0 {
		lag = orderRetention + 7*day
		retention = names.Window + orderRetention + 30*day
	}
	clicks.atLeast("retention.ms", millis(retention), "a click must outlive the window of every order that may still be read")
	clicks.atLeast("min.compaction.lag.ms", millis(lag), "compaction keeps the last click, not the one that counts for an order that is read late")
	clicks.atLeast("delete.retention.ms", millis(30*day), "a table that was away longer than an erasure lives would bring the click back")

	deadLetter := Topic{Role: "dead_letter", Name: names.DeadLetter}
	deadLetter.atLeast("max.message.bytes", orderBytes+deadLetterHeadroom, "a dead letter is the whole order and our headers")
	deadLetter.require("retention.ms", strconv.FormatInt(millis(30*day), 10), func(actual string) bool {
		ms, err := strconv.ParseInt(actual, 10, 64)
		return err == nil && ms > 0
	}, "dead letters hold orders: they must not be kept for ever")
	deadLetter.require("cleanup.policy", "delete", is("delete"), "compaction would drop dead letters with the same key")

	outcomes := Topic{Role: "outcomes", Name: names.Outcomes}
	outcomes.require("cleanup.policy", "delete", is("delete"), "compaction would drop all but the last outcome of an order")
	outcomes.atLeast("retention.ms", millis(90*day), "reconciling and replaying look back that far")

	return []Topic{{Role: "orders", Name: names.Orders}, clicks, deadLetter, outcomes}
}

func (t *Topic) require(key, value string, ok func(string) bool, why string) {
	t.Settings = append(t.Settings, Setting{Key: key, Value: value, Why: why, ok: ok})
}

// atLeast accepts the value, more, or unlimited.
func (t *Topic) atLeast(key string, least int64, why string) {
	t.require(key, strconv.FormatInt(least, 10), func(actual string) bool {
		value, err := strconv.ParseInt(actual, 10, 64)
		return err == nil && (value == unlimited || least != unlimited && value >= least)
	}, why)
}

func is(value string) func(string) bool {
	return func(actual string) bool { return actual == value }
}

func millis(d time.Duration) int64 {
	if d < 0 {
		return unlimited
	}
	return d.Milliseconds()
}

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

// Create makes the topics that are missing, each with that many partitions and replicas (-1 for the
// cluster's default), and checks the others. It never changes a topic that exists.
func Create(ctx context.Context, admin *kadm.Client, names Names, partitions int32, replication int16) ([]Finding, error) {
	plan, actual, err := look(ctx, admin, names)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, topic := range plan {
		if actual[topic.Name] != nil {
			findings = append(findings, topic.compare(actual[topic.Name])...)
			continue
		}
		configs := map[string]*string{}
		for _, setting := range topic.Settings {
			configs[setting.Key] = &setting.Value
		}
		created, err := admin.CreateTopic(ctx, partitions, replication, configs, topic.Name)
		if err == nil {
			err = created.Err
		}
		if err != nil {
			return findings, fmt.Errorf("creating topic %s: %w", topic.Name, err)
		}
		findings = append(findings, Finding{Topic: topic.Name, Status: "created"})
	}
	return findings, nil
}

// look reads what exists and makes the plan that follows from the orders' own settings.
func look(ctx context.Context, admin *kadm.Client, names Names) ([]Topic, map[string]map[string]string, error) {
	actual := map[string]map[string]string{}
	for _, name := range []string{names.Orders, names.Clicks, names.DeadLetter, names.Outcomes} {
		settings, err := describe(ctx, admin, name)
		if err != nil {
			return nil, nil, err
		}
		actual[name] = settings
	}
	retention, bytes := 7*day, int64(1_048_588) // Kafka's defaults, for an orders' topic that is not there yet
	if orders := actual[names.Orders]; orders != nil {
		if ms, err := strconv.ParseInt(orders["retention.ms"], 10, 64); err == nil {
			retention = time.Duration(ms) * time.Millisecond
		}
		if limit, err := strconv.ParseInt(orders["max.message.bytes"], 10, 64); err == nil {
			bytes = limit
		}
	}
	return Plan(names, retention, bytes), actual, nil
}

// describe reads one topic's settings, nil when there is no such topic.
func describe(ctx context.Context, admin *kadm.Client, name string) (map[string]string, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("asking for the settings of topic %s: %w", name, err)
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

// compare checks one topic, whose settings are nil when it is missing.
func (t Topic) compare(actual map[string]string) []Finding {
	if actual == nil {
		return []Finding{{Topic: t.Name, Status: "missing", Why: "make it with `cjrelay topics`"}}
	}
	findings := []Finding{{Topic: t.Name, Status: "ok"}}
	for _, setting := range t.Settings {
		finding := Finding{Topic: t.Name, Setting: setting.Key, Want: setting.Value, Have: actual[setting.Key], Status: "ok"}
		if !setting.ok(finding.Have) {
			finding.Status, finding.Why = "wrong", setting.Why
		}
		findings = append(findings, finding)
	}
	return findings
}

// Fatal picks out what a consumer must not start with: clicks that are missing or not compacted.
func Fatal(findings []Finding, names Names) error {
	for _, f := range findings {
		if f.Topic != names.Clicks {
			continue
		}
		if f.Status == "missing" {
			return fmt.Errorf("clicks.topic %q does not exist: make it with `cjrelay topics`", names.Clicks)
		}
		if f.Setting == "cleanup.policy" && !strings.Contains(f.Have, "compact") {
			return fmt.Errorf("clicks.topic %q is not compacted (cleanup.policy=%s): set cleanup.policy=compact,delete, "+
				"or every restart reads all clicks ever made and retention drops those that still count", names.Clicks, f.Have)
		}
	}
	return nil
}
