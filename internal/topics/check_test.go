package topics_test

import (
	"context"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/topics"
)

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
		"MoreThanATimeCanHold":  {"retention.ms", "18446744073710", forever, days(402)},
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
