package consumer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// takes sets what a topic takes, in bytes.
func (b *bundle) takes(t *testing.T, topic, bytes string) {
	t.Helper()
	_, err := b.Admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: &bytes}}, topic)
	require.NoError(t, err)
}

// whole counts the dead letters that have their value.
func (b *bundle) whole(t *testing.T) (whole int) {
	t.Helper()
	for _, letter := range b.Read(t, b.config.DeadLetterTopic) {
		if letter.Value != nil {
			require.Equal(t, "malformed", headersOf(letter)["cjrelay-reason"])
			whole++
		}
	}
	return whole
}

// A topic that was made to take more, as it should have from the start, gets whole dead letters without a restart.
func TestATopicThatTakesMoreGetsWholeLetters(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.DeadLetterTopic = b.Topic(t, "dlq", 1, map[string]string{"max.message.bytes": "10000"})
	b.config.MassSamples = 1000 // too few letters for a rule about them
	large := "{" + strings.Repeat("x", 20_000)
	b.confirm(t, 0, large)
	b.start(t)
	b.requireCommitted(t, 0, 1)
	require.Zero(t, b.whole(t))
	b.takes(t, b.config.DeadLetterTopic, "10551296")
	for sent := int64(1); b.whole(t) == 0; sent++ {
		require.Less(t, sent, int64(200), "it goes by what the topic took at the start")
		b.confirm(t, 0, large)
		b.requireCommitted(t, 0, sent+1)
	}
}

// What not even the smallest form fits into is the topic's fault: nothing of a record is given up for that.
func TestALetterWaitsForATopicThatTakesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.DeadLetterTopic = b.Topic(t, "dlq", 1, map[string]string{"max.message.bytes": "80"})
	b.config.OutcomesTopic = b.Topic(t, "outcomes", 1, map[string]string{"max.message.bytes": "80"})
	b.confirm(t, 0, "{", order("ORD-1"))
	r := b.start(t)
	eventually(t, func() bool { return r.health.deadLetters.current() != nil && r.health.outcomes.current() != nil }, "nobody notices")
	require.EqualValues(t, 0, b.committed(t, 0))
	b.takes(t, b.config.DeadLetterTopic, "10551296")
	b.takes(t, b.config.OutcomesTopic, "1048588")
	b.requireCommitted(t, 0, 2)
	require.Equal(t, 1, b.whole(t))
	require.Equal(t, schema.Acknowledged, b.outcomes(t)["ORD-1"].Outcome)
	require.Equal(t, 1, b.cj.total(), "it was not sent again meanwhile")
	require.NoError(t, r.health.deadLetters.current())
}
