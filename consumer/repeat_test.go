package consumer

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// TestEachRequestIsAnAttempt: what the HTTP client sent twice in one go was received twice.
func TestEachRequestIsAnAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		answer := acknowledged
		if b.cj.attemptsOf(id) <= 2 {
			answer = unavailable
		}
		answer.Repeats = 2
		return answer
	})
	b.confirm(t, 0, order("ORD-1"))
	r := b.start(t)
	b.requireCommitted(t, 0, 1)
	require.Equal(t, 9, b.outcomes(t)["ORD-1"].Attempts)
	require.EqualValues(t, 8, testutil.ToFloat64(r.metrics.attempts[postback.Retry]))
	require.EqualValues(t, 1, testutil.ToFloat64(r.metrics.attempts[postback.Acknowledged]))
	require.Equal(t, 1, strings.Count(b.log.String(), "level=WARN"), "of the requests 1 to 3 and 4 to 6 the second lot has the fifth:\n%s", b.log)
	require.Equal(t, schema.Acknowledged, b.outcomes(t)["ORD-1"].Outcome)
}
