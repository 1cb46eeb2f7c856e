package demo

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

var noon = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

// recordsOf are everything that the first shoppers of a seed write.
func recordsOf(seed uint64, shoppers int, at time.Time) []*kgo.Record {
	var records []*kgo.Record
	crowd := newCrowd(seed)
	for i := range shoppers {
		s := crowd.shopper(i, at)
		records = append(append(records, s.clickRecords("clicks")...), s.orderRecord("orders"))
	}
	return records
}

func TestSameSeedMakesTheSameRecords(t *testing.T) {
	t.Parallel()
	require.Equal(t, recordsOf(1, 1200, noon), recordsOf(1, 1200, noon))
	require.NotEqual(t, recordsOf(1, 10, noon), recordsOf(2, 10, noon))
}

func TestShopperDependsOnNoOtherShopper(t *testing.T) {
	t.Parallel()
	inOrder := newCrowd(3)
	for i := range 700 {
		inOrder.shopper(i, noon)
	}
	require.Equal(t, newCrowd(3).shopper(700, noon).orderRecord("orders"), inOrder.shopper(700, noon).orderRecord("orders"))
}

func TestOrderIDsTellTheShopper(t *testing.T) {
	t.Parallel()
	crowd := newCrowd(9)
	for _, i := range []int{0, 41, 999_999, OrdersMax + 5} {
		number, ours := crowd.number(crowd.orderID(i))
		require.True(t, ours)
		require.Equal(t, i, number)
	}
	for _, foreign := range []string{"", "ORD-1", crowd.orderID(1) + "/B", crowd.prefix, crowd.prefix + "0000000", newCrowd(10).orderID(1)} {
		_, ours := crowd.number(foreign)
		require.False(t, ours, foreign)
	}
}

func TestDeckHasEveryReason(t *testing.T) {
	t.Parallel()
	crowd, seen := newCrowd(1), map[schema.Kind]map[schema.Reason]bool{}
	for i := range deckSize {
		s := crowd.shopper(i, noon)
		if seen[s.kind] == nil {
			seen[s.kind] = map[schema.Reason]bool{}
		}
		seen[s.kind][s.reason] = true
	}
	for _, kind := range []schema.Kind{schema.Acknowledged, schema.Unattributed} {
		for _, reason := range schema.Reasons[kind] {
			require.True(t, seen[kind][reason], "%s %s", kind, reason)
		}
	}
	for _, reason := range []schema.Reason{
		schema.ReasonMalformed, schema.ReasonUnknownSchema, schema.ReasonInvalidOrder, schema.ReasonUnbuildable, schema.ReasonFuture, schema.ReasonRejected,
	} {
		require.True(t, seen[schema.DeadLetter][reason], reason)
	}
}

func TestAmountsAddUp(t *testing.T) {
	t.Parallel()
	amount := cents(12_345)
	require.Equal(t, "123.45", amount.String())
	require.Equal(t, "0.05", cents(5).String())
	b := basket{lines: []line{{price: 2299, quantity: 2, discount: 500}, {price: 2199, quantity: 3, discount: 750}, {price: 2599, quantity: 1, discount: 250}}}
	require.Equal(t, "122.94", b.total().String(), "CJ's own sample")
	b = basket{amount: &amount, discount: 345}
	require.Equal(t, "120.00", b.total().String())
}
