package postback_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

const (
	click     = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	signature = "11112222333344445555666677778888"
)

var (
	confirmedAt = time.Date(2024, 1, 15, 18, 8, 36, 89_000_000, time.UTC)
	now         = confirmedAt.Add(time.Hour)
)

func advertiser() postback.Advertiser {
	return postback.Advertiser{
		EnterpriseID:  "1234567",
		Actions:       map[string]string{"sale": "398210", "lead": "398211"},
		DefaultAction: "sale",
	}
}

func newBuilder(t testing.TB, a postback.Advertiser) *postback.Builder {
	t.Helper()
	builder, err := postback.NewBuilder(a)
	require.NoError(t, err)
	return builder
}

func build(t testing.TB, a postback.Advertiser, order *schema.Order) postback.Query {
	t.Helper()
	query, err := newBuilder(t, a).Build(order, click, now)
	require.NoError(t, err)
	return query
}

// refusal builds the order, which must fail, and returns the error.
func refusal(t testing.TB, a postback.Advertiser, order *schema.Order) *schema.FieldError {
	t.Helper()
	query, err := newBuilder(t, a).Build(order, click, now)
	require.Zero(t, query)
	return fieldError(t, err)
}

func fieldError(t testing.TB, err error) *schema.FieldError {
	t.Helper()
	var field *schema.FieldError
	require.ErrorAs(t, err, &field)
	require.NotEmpty(t, field.Field)
	require.NotEmpty(t, field.Rule)
	return field
}

func money(t testing.TB, text string) schema.Money {
	t.Helper()
	amount, err := schema.ParseMoney(text)
	require.NoError(t, err)
	return amount
}

// simpleOrder has an amount and no items.
func simpleOrder(t testing.TB) *schema.Order {
	t.Helper()
	amount := money(t, "19.90")
	return &schema.Order{ID: "ORD-1", ConfirmedAt: confirmedAt, Currency: "USD", Amount: &amount}
}

func orderOfItems(t testing.TB, count int) *schema.Order {
	t.Helper()
	order := &schema.Order{
		ID: "ORD-2024-001234", ConfirmedAt: confirmedAt, Currency: "USD", Coupons: []string{"SAVE20"},
		Discount: money(t, "10"), CustomerStatus: "New", CustomerCountry: "US",
	}
	for i := range count {
		order.Items = append(order.Items, schema.Item{
			SKU: "SKU-BLK-LG-" + strconv.Itoa(i), UnitPrice: money(t, "74.99"), Quantity: 2, Discount: money(t, "5"),
		})
	}
	return order
}
