package consumer

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// withoutClick is an order that has nothing to report.
func withoutClick(id string) string {
	return fmt.Sprintf(`{"order_id":%q,"confirmed_at":%q,"currency":"USD","amount":"1"}`, id, confirmed)
}

// ends counts the outcomes by order and reason.
func (b *bundle) ends(t *testing.T) map[string]int {
	t.Helper()
	ends := map[string]int{}
	for _, one := range b.Read(t, b.config.OutcomesTopic) {
		outcome, err := schema.DecodeOutcome(one.Value)
		require.NoError(t, err)
		ends[outcome.OrderID+" "+string(outcome.Reason)]++
	}
	return ends
}

// What CJ has is not called a miss because it comes again from where its click is not known; nor is it called changed.
func TestATwinWithoutAClickIsADuplicate(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	sending, answer := b.cj.hold()
	b.confirm(t, 0, order("ORD-1"))
	r := b.start(t)
	<-sending
	b.confirm(t, 1, withoutClick("ORD-1"))
	eventually(t, func() bool { return r.duplicates.waitingNow() == 1 }, "its twin does not wait")
	close(answer)
	b.requireCommitted(t, 1, 1)
	b.confirm(t, 1, withoutClick("ORD-1"), joined("s-unknown")("ORD-1"), withoutClick("ORD-2"))
	b.requireCommitted(t, 1, 4)
	require.Equal(t, map[string]int{"ORD-1 carried": 1, "ORD-1 repeated": 3, "ORD-2 no_session": 1}, b.ends(t))
	require.Equal(t, 1, b.cj.total())
	require.Zero(t, b.log.count("comes again with other content"))
}

func TestATwinWithoutAClickHoldsNothingUp(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		if id == "ORD-1" {
			return rejected
		}
		return acknowledged
	})
	b.confirm(t, 0, order("ORD-1"), withoutClick("ORD-1"), withoutClick("ORD-2"), order("ORD-2"))
	b.start(t)
	b.requireCommitted(t, 0, 4)
	ends := b.ends(t)
	require.Equal(t, 1, ends["ORD-1 rejected"])
	require.Equal(t, 1, ends["ORD-1 no_session"], "it has its own outcome where CJ did not take the first")
	require.Equal(t, 1, ends["ORD-2 carried"])
	require.Equal(t, 1, ends["ORD-2 no_session"]+ends["ORD-2 repeated"], "either may be judged first")
}
