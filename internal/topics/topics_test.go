package topics_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
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

func TestPlan(t *testing.T) {
	t.Parallel()
	t.Run("FollowsTheOrdersTopic", func(t *testing.T) {
		t.Parallel()
		plan := topics.Plan(names, 7*day, 1_048_588)
		require.Equal(t, map[string]string{}, settings(plan, orders), "the platform's own")
		require.Equal(t, map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": days(395 + 7 + 30), "min.compaction.lag.ms": days(7 + 7), "delete.retention.ms": days(30),
		}, settings(plan, clicks))
		require.Equal(t, map[string]string{"max.message.bytes": "1114124", "retention.ms": days(30), "cleanup.policy": "delete"}, settings(plan, dlq))
		require.Equal(t, map[string]string{"cleanup.policy": "delete", "retention.ms": days(90)}, settings(plan, outcomes))
	})
	t.Run("KeepsClicksForEverWhereOrdersAreKeptForEver", func(t *testing.T) {
		t.Parallel()
		plan := settings(topics.Plan(names, -time.Millisecond, 1_048_588), clicks)
		require.Equal(t, forever, plan["retention.ms"])
		require.Equal(t, days(395+7), plan["min.compaction.lag.ms"])
	})
	t.Run("KeepsTheLargestRecordWithinWhatKafkaCanWrite", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "2147483647", settings(topics.Plan(names, day, 2147483647), dlq)["max.message.bytes"])
	})
	t.Run("SaysWhyForEverySetting", func(t *testing.T) {
		t.Parallel()
		for _, topic := range topics.Plan(names, day, 1000) {
			for _, setting := range topic.Settings {
				require.NotEmpty(t, setting.Why, "%s %s", topic.Role, setting.Key)
			}
		}
	})
}

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
		_, admin := setup(t, kfake.BrokerConfigs(map[string]string{"log.retention.ms": forever}))
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

func TestCheckSettings(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		topic, key, value string
		// want is the setting as it should be where the value is wrong, nothing where it is fine.
		want string
	}{
		"ClicksNotCompacted":           {clicks, "cleanup.policy", "delete", "compact,delete"},
		"ClicksNeverDeleted":           {clicks, "cleanup.policy", "compact", "compact,delete"},
		"ClicksInTheOtherOrder":        {clicks, "cleanup.policy", "delete,compact", ""},
		"ClicksWithABlank":             {clicks, "cleanup.policy", "compact, delete", ""},
		"ClicksKeptTooShort":           {clicks, "retention.ms", strconv.Itoa(432*dayMs - 1), days(432)},
		"ClicksKeptLonger":             {clicks, "retention.ms", days(500), ""},
		"ClicksKeptForEver":            {clicks, "retention.ms", forever, ""},
		"ClicksCompactedTooSoon":       {clicks, "min.compaction.lag.ms", strconv.Itoa(14*dayMs - 1), days(14)},
		"ClicksCompactedAtOnce":        {clicks, "min.compaction.lag.ms", "0", days(14)},
		"ClicksCompactedLater":         {clicks, "min.compaction.lag.ms", days(15), ""},
		"ClicksCompactedNoNumber":      {clicks, "min.compaction.lag.ms", "soon", days(14)},
		"ErasuresForgottenTooSoon":     {clicks, "delete.retention.ms", strconv.Itoa(30*dayMs - 1), days(30)},
		"ErasuresForgottenLater":       {clicks, "delete.retention.ms", days(31), ""},
		"DeadLettersTooSmall":          {dlq, "max.message.bytes", "1114123", "1114124"},
		"DeadLettersLarger":            {dlq, "max.message.bytes", "2000000", ""},
		"DeadLettersKeptForEver":       {dlq, "retention.ms", forever, days(30)},
		"DeadLettersKeptForAllTime":    {dlq, "retention.ms", largest, days(30)},
		"DeadLettersKeptLonger":        {dlq, "retention.ms", days(365), ""},
		"DeadLettersKeptShorter":       {dlq, "retention.ms", days(14), ""},
		"DeadLettersCompacted":         {dlq, "cleanup.policy", "compact", "delete"},
		"DeadLettersCompactedToo":      {dlq, "cleanup.policy", "compact,delete", "delete"},
		"OutcomesCompacted":            {outcomes, "cleanup.policy", "compact", "delete"},
		"OutcomesKeptTooShort":         {outcomes, "retention.ms", strconv.Itoa(90*dayMs - 1), days(90)},
		"OutcomesKeptForEver":          {outcomes, "retention.ms", forever, ""},
		"OrdersAreThePlatformsOwn":     {orders, "min.insync.replicas", "1", ""},
		"LargerOrdersNeedLargerLetter": {orders, "max.message.bytes", "2000000", "2065536"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := created(t)
			set(t, admin, test.topic, test.key, test.value)
			left := bad(check(t, admin))
			if test.want == "" {
				require.Empty(t, left)
				return
			}
			require.Len(t, left, 1)
			require.Equal(t, test.want, left[0].Want)
			require.Equal(t, "wrong", left[0].Status)
			require.NotEmpty(t, left[0].Why)
			if test.topic != orders {
				require.Equal(t, test.topic, left[0].Topic)
				require.Equal(t, test.key, left[0].Setting)
				require.Equal(t, test.value, left[0].Have)
			}
		})
	}
}

func TestCheckFollowsTheOrdersRetention(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		key, value string
		// want is the clicks' retention and their lag.
		retention, lag string
	}{
		"Days":                  {"retention.ms", days(30), days(395 + 30 + 30), days(37)},
		"None":                  {"retention.ms", "0", days(395 + 30), days(7)},
		"ForEver":               {"retention.ms", forever, forever, days(402)},
		"ForAllTime":            {"retention.ms", largest, forever, days(402)},
		"MoreThanATimeCanHold":  {"retention.ms", "9223372036855", forever, days(402)},
		"ForEverSinceCompacted": {"cleanup.policy", "compact", forever, days(402)},
		"CompactedAndDeleted":   {"cleanup.policy", "compact,delete", days(432), days(14)},
		"NotToBeRead":           {"retention.ms", "unknown", days(432), days(14)},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := created(t)
			set(t, admin, orders, test.key, test.value)
			want := map[string]string{}
			for _, f := range check(t, admin) {
				if f.Topic == clicks {
					want[f.Setting] = f.Want
				}
			}
			require.Equal(t, test.retention, want["retention.ms"])
			require.Equal(t, test.lag, want["min.compaction.lag.ms"])
		})
	}
	t.Run("LargestNumberIsForEverForClicksToo", func(t *testing.T) {
		t.Parallel()
		admin := created(t)
		set(t, admin, orders, "retention.ms", forever)
		set(t, admin, clicks, "retention.ms", largest)
		set(t, admin, clicks, "min.compaction.lag.ms", days(402))
		require.Empty(t, bad(check(t, admin)))
		set(t, admin, clicks, "retention.ms", days(4000))
		require.Len(t, bad(check(t, admin)), 1, "orders outlive these clicks")
	})
}

func TestFatal(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		spoil func(t *testing.T, admin *kadm.Client)
		// want is in the error; there is none where it is empty.
		want string
	}{
		"NothingIsWrong":      {func(*testing.T, *kadm.Client) {}, ""},
		"ClicksAreMissing":    {remove(clicks), "clicks.topic \"cjevent\" does not exist: make it with `cjrelay topics`"},
		"ClicksAreNot":        {change(clicks, "cleanup.policy", "delete"), "clicks.topic \"cjevent\" is not compacted (cleanup.policy=delete)"},
		"ClicksAreOnly":       {change(clicks, "cleanup.policy", "compact"), ""},
		"ClicksAreShortLived": {change(clicks, "retention.ms", days(1)), ""},
		"ClicksLoseErasures":  {change(clicks, "delete.retention.ms", "0"), ""},
		"ClicksLag":           {change(clicks, "min.compaction.lag.ms", "0"), ""},
		"OrdersAreMissing":    {remove(orders), ""},
		"DeadLetterIsMissing": {remove(dlq), ""},
		"OutcomesAreMissing":  {remove(outcomes), ""},
		"OutcomesAreWrong":    {change(outcomes, "cleanup.policy", "compact"), ""},
		"DeadLetterIsWrong":   {change(dlq, "cleanup.policy", "compact"), ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			admin := created(t)
			test.spoil(t, admin)
			err := topics.Fatal(check(t, admin), names)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
		})
	}
}

func remove(topic string) func(*testing.T, *kadm.Client) {
	return func(t *testing.T, admin *kadm.Client) {
		_, err := admin.DeleteTopic(t.Context(), topic)
		require.NoError(t, err)
		require.Equal(t, []topics.Finding{{Topic: topic, Status: "missing", Why: "make it with `cjrelay topics`"}}, bad(check(t, admin)))
	}
}

func change(topic, key, value string) func(*testing.T, *kadm.Client) {
	return func(t *testing.T, admin *kadm.Client) {
		set(t, admin, topic, key, value)
	}
}

func TestCheckTellsWhatItMayNotSee(t *testing.T) {
	t.Parallel()
	cluster, admin := setup(t)
	create(t, admin)
	cluster.ControlKey(kmsg.DescribeConfigs.Int16(), func(request kmsg.Request) (kmsg.Response, error, bool) {
		response := request.ResponseKind().(*kmsg.DescribeConfigsResponse)
		for _, resource := range request.(*kmsg.DescribeConfigsRequest).Resources {
			refused := kmsg.NewDescribeConfigsResponseResource()
			refused.ResourceName, refused.ResourceType, refused.ErrorCode = resource.ResourceName, resource.ResourceType, kerr.TopicAuthorizationFailed.Code
			response.Resources = append(response.Resources, refused)
		}
		return response, nil, true
	})
	findings, err := topics.Check(t.Context(), admin, names)
	require.Empty(t, findings)
	require.ErrorIs(t, err, kerr.TopicAuthorizationFailed)
	require.ErrorContains(t, err, "topic "+orders)
	require.ErrorContains(t, err, "allow DescribeConfigs on it")
}

func TestCheckEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, admin := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := topics.Check(ctx, admin, names)
	require.ErrorIs(t, err, context.Canceled)
	_, err = topics.Create(ctx, admin, names, 1, 1)
	require.ErrorIs(t, err, context.Canceled)
}
