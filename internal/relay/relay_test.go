package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

func TestOrderWithClickIsAcknowledgedAndCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t, 3)
	now := time.Now().Add(-time.Minute)
	b.kafka.Produce(t, b.click("s-1", clickID, now.Add(-time.Hour)))
	b.confirm(t, order("ORD-1", "s-1", now), order("ORD-2", "s-unknown", now))
	r := b.start(t)

	outcomes := b.outcomes(t, 2)
	require.Equal(t, schema.Acknowledged, outcomes["ORD-1"].Outcome)
	require.Equal(t, schema.ReasonJoined, outcomes["ORD-1"].Reason)
	require.Equal(t, 200, outcomes["ORD-1"].Status)
	require.Equal(t, 1, outcomes["ORD-1"].Attempts)
	require.Equal(t, clickID, outcomes["ORD-1"].CJEvent)
	require.Equal(t, schema.Unattributed, outcomes["ORD-2"].Outcome)
	require.Equal(t, schema.ReasonNoClick, outcomes["ORD-2"].Reason)

	received := b.cj.Received()
	require.Len(t, received, 1)
	require.Empty(t, received[0].Problems)
	require.Equal(t, clickID, received[0].ClickID)

	r.halt(t)
	require.EqualValues(t, 2, b.committed(t))
}

func TestThousandOrdersOverTwelvePartitions(t *testing.T) {
	t.Parallel()
	b := setup(t, 12)
	now := time.Now().Add(-time.Minute)
	var orders []string
	var clicks []*kgo.Record
	for i := range 1000 {
		session := fmt.Sprintf("s-%d", i)
		if i%2 == 0 {
			clicks = append(clicks, b.click(session, clickID, now.Add(-time.Hour)))
		}
		orders = append(orders, order(fmt.Sprintf("ORD-%d", i), session, now))
	}
	b.kafka.Produce(t, clicks...)
	b.confirm(t, orders...)
	r := b.start(t)
	b.outcomes(t, 1000)
	require.Equal(t, 500, b.cj.Count())
	r.halt(t)
	require.EqualValues(t, 1000, b.committed(t))
}
