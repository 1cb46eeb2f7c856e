package schema

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
)

// orderJSON is the example of the canonical form, with three items.
const orderJSON = `{"order_id": "ORD-2024-001234", "session_id": "s-81f0", "confirmed_at": "2026-03-27T11:02:07.123Z",
 "currency": "USD", "items": [{"sku": "SKU-BLK-LG", "unit_price": "22.99", "quantity": 2, "discount": "5.00"},
 {"sku": "SKU-RED-SM", "unit_price": "21.99", "quantity": 3, "discount": "7.50"}, {"sku": "SKU-HAT", "unit_price": "25.99", "quantity": 1}],
 "discount": "0", "amount": null, "coupons": ["TWOFIFTYOFF"], "customer_status": "New", "customer_country": "US",
 "action": "sale", "cjevent": null, "consent": null, "attributes": {"businessUnit": "eu"}}`

// order is what orderJSON says.
func order(t testing.TB) *Order {
	t.Helper()
	return &Order{
		ID: "ORD-2024-001234", SessionID: "s-81f0", ConfirmedAt: time.Date(2026, 3, 27, 11, 2, 7, 123e6, time.UTC), Currency: "USD",
		Items: []Item{
			{SKU: "SKU-BLK-LG", UnitPrice: money(t, "22.99"), Quantity: 2, Discount: money(t, "5")},
			{SKU: "SKU-RED-SM", UnitPrice: money(t, "21.99"), Quantity: 3, Discount: money(t, "7.5")},
			{SKU: "SKU-HAT", UnitPrice: money(t, "25.99"), Quantity: 1},
		},
		Coupons: []string{"TWOFIFTYOFF"}, CustomerStatus: "New", CustomerCountry: "US", Action: "sale",
		Attributes: []Attribute{{Name: "businessUnit", Value: "eu"}},
	}
}

func money(t testing.TB, text string) Money {
	t.Helper()
	amount, err := ParseMoney(text)
	require.NoError(t, err)
	return amount
}

// sourceFunc is a registry made of a function.
type sourceFunc func(ctx context.Context, id int) (sr.Schema, error)

func (f sourceFunc) SchemaByID(ctx context.Context, id int) (sr.Schema, error) { return f(ctx, id) }

// registryOf has the schemas under the ids 1, 2, …
func registryOf(schemas ...string) *Registry {
	return NewRegistry(sourceFunc(func(_ context.Context, id int) (sr.Schema, error) {
		if id < 1 || id > len(schemas) {
			return sr.Schema{}, &sr.ResponseError{StatusCode: 404, ErrorCode: codeSchemaNotFound}
		}
		return sr.Schema{Schema: schemas[id-1]}, nil
	}))
}

// decodeOrder decodes one value, JSON when schemas are missing.
func decodeOrder(t testing.TB, value []byte, schemas ...string) (*Order, error) {
	t.Helper()
	format := FormatJSON
	if len(schemas) > 0 {
		format = FormatAvro
	}
	decode, err := NewOrderDecoder(format, registryOf(schemas...))
	require.NoError(t, err)
	return decode(t.Context(), value)
}

// requireInvalid demands an *InvalidError, and a *FieldError when a field is given.
func requireInvalid(t testing.TB, err error, reason Reason, field, text string) {
	t.Helper()
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, reason, invalid.Reason, err.Error())
	require.NotErrorIs(t, err, ErrUnavailable)
	require.ErrorContains(t, err, text)
	if field != "" {
		var broken *FieldError
		require.ErrorAs(t, err, &broken)
		require.Equal(t, field, broken.Field)
	}
}
