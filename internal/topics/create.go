package topics

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Create makes the topics that are missing, each with that many partitions and replicas (-1 for the
// cluster's default), and checks the others. Clicks that are co-partitioned get as many partitions as the orders
// have. It never changes a topic that exists.
func Create(ctx context.Context, admin *kadm.Client, names Names, wanted int32, replication int16) ([]Finding, error) {
	plan, actual, err := look(ctx, admin, names)
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for i := range plan {
		topic := plan[i]
		if actual[topic.Name] != nil {
			findings = append(findings, topic.compare(actual[topic.Name])...)
			continue
		}
		made, err := topic.create(ctx, admin, wanted, replication)
		if err != nil {
			return findings, err
		}
		findings = append(findings, made...)
		if topic.Name == names.Orders {
			// What the others need follows from what the cluster gave to this one, which may not be Kafka's
			// defaults.
			if plan, actual, err = look(ctx, admin, names); err != nil {
				return findings, err
			}
		}
	}
	return findings, nil
}

// create makes the topic, or checks it when somebody else made it in the meantime.
func (t Topic) create(ctx context.Context, admin *kadm.Client, wanted int32, replication int16) ([]Finding, error) {
	configs := map[string]*string{}
	for _, setting := range t.Settings {
		if setting.Key != partitions {
			configs[setting.Key] = &setting.Value
		} else if n, err := strconv.ParseInt(setting.Value, 10, 32); err == nil {
			wanted = int32(n)
		}
	}
	response, err := admin.CreateTopic(ctx, wanted, replication, configs, t.Name)
	switch {
	case err == nil:
		_, err := visible(ctx, admin, t.Name)
		return []Finding{{Topic: t.Name, Status: Created}}, err
	case errors.Is(err, kerr.TopicAlreadyExists):
		actual, err := visible(ctx, admin, t.Name)
		if err != nil {
			return nil, err
		}
		return t.compare(actual), nil
	case response.ErrMessage != "":
		return nil, fmt.Errorf("creating topic %s: %w: %s", t.Name, err, response.ErrMessage)
	}
	return nil, fmt.Errorf("creating topic %s: %w", t.Name, err)
}

// visible waits until the brokers know a topic that the controller has just made, and returns its settings.
// Whoever starts a relay right after `cjrelay topics` must find it.
func visible(ctx context.Context, admin *kadm.Client, name string) (map[string]string, error) {
	return backoff.Retry(ctx, func() (map[string]string, error) {
		settings, err := describe(ctx, admin, name)
		switch {
		case err != nil:
			return nil, backoff.Permanent(err)
		case settings == nil:
			return nil, fmt.Errorf("topic %s was created but the brokers do not show it yet", name)
		}
		return settings, nil
	}, backoff.WithMaxElapsedTime(15*time.Second), backoff.WithBackOff(backoff.NewConstantBackOff(50*time.Millisecond)))
}
