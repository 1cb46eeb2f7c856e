package topics_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/topics"
)

func TestCreate(t *testing.T) {
	t.Parallel()
	t.Run("MakesEverythingOnAnEmptyCluster", func(t *testing.T) {
		t.Parallel()
		_, admin := setup(t)
		findings, err := topics.Create(t.Context(), admin, names, 5, 1)
		require.NoError(t, err)
		require.Equal(t, []topics.Finding{
			{Topic: orders, Status: "created"}, {Topic: clicks, Status: "created"}, {Topic: dlq, Status: "created"}, {Topic: outcomes, Status: "created"},
		}, findings)
		require.NoError(t, topics.Fatal(findings, names))

		checked := check(t, admin)
		require.Len(t, checked, 4+4+3+2)
		for _, f := range checked {
			require.Equal(t, "ok", f.Status, "%+v", f)
			require.Equal(t, f.Want, f.Have)
			require.Empty(t, f.Why)
		}
		require.NoError(t, topics.Fatal(checked, names))
		details, err := admin.ListTopics(t.Context(), orders, clicks, dlq, outcomes)
		require.NoError(t, err)
		for name, detail := range details {
			require.Len(t, detail.Partitions, 5, name)
		}
	})
	t.Run("TakesTheClustersDefaults", func(t *testing.T) {
		t.Parallel()
		_, admin := setup(t, kfake.DefaultNumPartitions(7))
		_, err := topics.Create(t.Context(), admin, names, -1, -1)
		require.NoError(t, err)
		details, err := admin.ListTopics(t.Context(), outcomes)
		require.NoError(t, err)
		require.Len(t, details[outcomes].Partitions, 7)
	})
	t.Run("FollowsTheRetentionThatTheClusterGivesToNewOrders", func(t *testing.T) {
		t.Parallel()
		cluster, admin := setup(t)
		keep := forever
		cluster.ControlKey(kmsg.CreateTopics.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			if topic := &request.(*kmsg.CreateTopicsRequest).Topics[0]; topic.Topic == orders {
				topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: "retention.ms", Value: &keep})
			}
			return nil, nil, false
		})
		require.Empty(t, bad(create(t, admin)))
		require.Empty(t, bad(check(t, admin)), "what was made just now is wrong")
	})
	t.Run("ChangesNothingThatExists", func(t *testing.T) {
		t.Parallel()
		admin := created(t)
		set(t, admin, clicks, "retention.ms", days(1))
		findings := create(t, admin)
		require.Equal(t, check(t, admin), findings)
		require.Len(t, bad(findings), 1)
		require.Equal(t, days(1), bad(findings)[0].Have)
	})
	t.Run("MakesWhatIsMissingAndChecksTheRest", func(t *testing.T) {
		t.Parallel()
		admin := created(t)
		_, err := admin.DeleteTopic(t.Context(), clicks)
		require.NoError(t, err)
		set(t, admin, orders, "retention.ms", days(100))
		findings := create(t, admin)
		require.Equal(t, []topics.Finding{{Topic: orders, Status: "ok"}, {Topic: clicks, Status: "created"}}, findings[:2])
		require.Empty(t, bad(findings))
		for _, f := range check(t, admin) {
			if f.Topic == clicks && f.Setting == "retention.ms" {
				require.Equal(t, days(395+100+30), f.Have)
			}
		}
		require.Empty(t, bad(check(t, admin)))
	})
	t.Run("ChecksATopicThatSomebodyElseMakesInTheMeantime", func(t *testing.T) {
		t.Parallel()
		cluster, admin := setup(t)
		other, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
		require.NoError(t, err)
		defer other.Close()
		var overtaken atomic.Bool
		cluster.ControlKey(kmsg.CreateTopics.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
			cluster.KeepControl()
			if request.(*kmsg.CreateTopicsRequest).Topics[0].Topic == outcomes && !overtaken.Swap(true) {
				cluster.SleepControl(func() { _, _ = kadm.NewClient(other).CreateTopic(context.Background(), 3, 1, nil, outcomes) })
			}
			return nil, nil, false
		})
		findings := create(t, admin)
		require.True(t, overtaken.Load())
		require.Equal(t, check(t, admin)[10:], findings[3:])
		require.Equal(t, topics.Finding{Topic: outcomes, Status: "ok"}, findings[3])
		require.Len(t, bad(findings), 1, "it was made with the cluster's defaults")
	})
	t.Run("SaysWhichTopicItCouldNotMakeAndWhy", func(t *testing.T) {
		t.Parallel()
		_, admin := setup(t)
		_, err := topics.Create(t.Context(), admin, names, 3, 9)
		require.ErrorIs(t, err, kerr.InvalidReplicationFactor)
		require.ErrorContains(t, err, "creating topic "+orders)
	})
	t.Run("TellsWhatTheBrokerSaidMore", func(t *testing.T) {
		t.Parallel()
		cluster, admin := setup(t)
		cluster.ControlKey(kmsg.CreateTopics.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
			message := "at most 2 partitions in this cluster"
			response := answer(request.(*kmsg.CreateTopicsRequest), kerr.PolicyViolation)
			response.Topics[0].ErrorMessage = &message
			return response, nil, true
		})
		_, err := topics.Create(t.Context(), admin, names, 3, 1)
		require.ErrorIs(t, err, kerr.PolicyViolation)
		require.ErrorContains(t, err, "at most 2 partitions in this cluster")
	})
}

func create(t *testing.T, admin *kadm.Client) []topics.Finding {
	t.Helper()
	findings, err := topics.Create(t.Context(), admin, names, 3, 1)
	require.NoError(t, err)
	return findings
}

// answer refuses each topic of a request.
func answer(request *kmsg.CreateTopicsRequest, err *kerr.Error) *kmsg.CreateTopicsResponse {
	response := request.ResponseKind().(*kmsg.CreateTopicsResponse)
	for _, topic := range request.Topics {
		refused := kmsg.NewCreateTopicsResponseTopic()
		refused.Topic, refused.ErrorCode = topic.Topic, err.Code
		response.Topics = append(response.Topics, refused)
	}
	return response
}
