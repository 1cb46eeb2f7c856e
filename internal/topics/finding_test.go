package topics_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/internal/topics"
)

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
