package topics_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/cjrelay/cjrelay/internal/topics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	day      = 24 * time.Hour
	dayMs    = 86_400_000
	largest  = "9223372036854775807"
	forever  = "-1"
	orders   = "order.confirmed"
	clicks   = "cjevent"
	dlq      = "order.confirmed.dlq"
	outcomes = "cjrelay.outcomes"
)

var names = topics.Names{Orders: orders, Clicks: clicks, DeadLetter: dlq, Outcomes: outcomes, Window: 395 * day}

// days is a number of days in milliseconds, as Kafka writes it.
func days(n int) string { return strconv.Itoa(n * dayMs) }

// setup is an empty cluster.
func setup(t *testing.T, opts ...kfake.Opt) (*kfake.Cluster, *kadm.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return cluster, kadm.NewClient(client)
}

// created is a cluster with all four topics as they should be.
func created(t *testing.T) *kadm.Client {
	t.Helper()
	_, admin := setup(t)
	_, err := topics.Create(t.Context(), admin, names, 3, 1)
	require.NoError(t, err)
	return admin
}

func set(t *testing.T, admin *kadm.Client, topic, key, value string) {
	t.Helper()
	responses, err := admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: key, Value: &value}}, topic)
	require.NoError(t, err)
	require.NoError(t, responses[0].Err)
}

func check(t *testing.T, admin *kadm.Client) []topics.Finding {
	t.Helper()
	findings, err := topics.Check(t.Context(), admin, names)
	require.NoError(t, err)
	return findings
}

// settings are the topic's settings of a plan.
func settings(plan []topics.Topic, topic string) map[string]string {
	values := map[string]string{}
	for _, planned := range plan {
		if planned.Name == topic {
			for _, setting := range planned.Settings {
				values[setting.Key] = setting.Value
			}
		}
	}
	return values
}

func bad(findings []topics.Finding) []topics.Finding {
	var left []topics.Finding
	for _, f := range findings {
		if !f.Good() {
			left = append(left, f)
		}
	}
	return left
}
