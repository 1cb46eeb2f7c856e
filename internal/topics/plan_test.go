package topics_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/topics"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	t.Run("FollowsTheOrdersTopic", func(t *testing.T) {
		t.Parallel()
		plan := topics.Plan(names, 7*day, 1_048_588, 0)
		require.Equal(t, map[string]string{}, settings(plan, orders), "the platform's own")
		require.Equal(t, map[string]string{
			"cleanup.policy": "compact,delete", "retention.ms": days(395 + 7 + 30), "min.compaction.lag.ms": days(7 + 7), "delete.retention.ms": days(30),
		}, settings(plan, clicks))
		require.Equal(t, map[string]string{"max.message.bytes": "1114124", "retention.ms": days(30), "cleanup.policy": "delete"}, settings(plan, dlq))
		require.Equal(t, map[string]string{"cleanup.policy": "delete", "retention.ms": days(90)}, settings(plan, outcomes))
	})
	t.Run("KeepsClicksForEverWhereOrdersAreKeptForEver", func(t *testing.T) {
		t.Parallel()
		plan := settings(topics.Plan(names, -time.Millisecond, 1_048_588, 0), clicks)
		require.Equal(t, forever, plan["retention.ms"])
		require.Equal(t, days(395+7), plan["min.compaction.lag.ms"])
	})
	t.Run("KeepsTheLargestRecordWithinWhatKafkaCanWrite", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "2147483647", settings(topics.Plan(names, day, 2147483647, 0), dlq)["max.message.bytes"])
	})
	t.Run("SaysWhyForEverySetting", func(t *testing.T) {
		t.Parallel()
		for _, topic := range topics.Plan(names, day, 1000, 0) {
			for _, setting := range topic.Settings {
				require.NotEmpty(t, setting.Why, "%s %s", topic.Role, setting.Key)
			}
		}
	})
}
