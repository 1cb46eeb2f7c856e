package schema

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOrderJSON(t *testing.T) {
	t.Parallel()

	t.Run("IsTheCanonicalForm", func(t *testing.T) {
		t.Parallel()
		encoded, err := order(t).AppendJSON([]byte("> "))
		require.NoError(t, err)
		require.Equal(t, `> {"order_id":"ORD-2024-001234","session_id":"s-81f0","confirmed_at":"2026-03-27T11:02:07.123Z","currency":"USD",`+
			`"items":[{"sku":"SKU-BLK-LG","unit_price":"22.99","quantity":2,"discount":"5.00"},`+
			`{"sku":"SKU-RED-SM","unit_price":"21.99","quantity":3,"discount":"7.50"},{"sku":"SKU-HAT","unit_price":"25.99","quantity":1}],`+
			`"coupons":["TWOFIFTYOFF"],"customer_status":"New","customer_country":"US","action":"sale","attributes":{"businessUnit":"eu"}}`, string(encoded))
	})

	t.Run("MarshalsWithTheStandardLibrary", func(t *testing.T) {
		t.Parallel()
		encoded, err := json.Marshal(struct{ Order *Order }{order(t)})
		require.NoError(t, err)
		require.Contains(t, string(encoded), `{"Order":{"order_id":"ORD-2024-001234",`)
	})

	t.Run("RefusesTextThatIsNotUTF8", func(t *testing.T) {
		t.Parallel()
		o := order(t)
		o.SessionID = "\xff"
		encoded, err := o.AppendJSON([]byte("kept"))
		require.ErrorContains(t, err, "invalid UTF-8")
		require.Equal(t, "kept", string(encoded))
	})
}

// anyOrder draws an order as a decoder leaves it, with amounts of at most the given digits and times of the
// given precision.
func anyOrder(t *rapid.T, whole, fraction string, precision time.Duration) *Order {
	text := rapid.StringN(1, 20, -1).Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s })
	maybe := rapid.OneOf(rapid.Just(""), text)
	amount := rapid.Custom(func(t *rapid.T) Money {
		m, err := ParseMoney(rapid.StringMatching(`[0-9]{1,`+whole+`}(\.[0-9]{1,`+fraction+`})?`).Draw(t, "amount"))
		require.NoError(t, err)
		return m
	})
	o := &Order{
		ID: text.Draw(t, "id"), SessionID: maybe.Draw(t, "session"),
		ConfirmedAt: time.Unix(rapid.Int64Range(earliestInstant.Unix(), latestInstant.Unix()-1).Draw(t, "second"),
			rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond")).UTC().Truncate(precision),
		Currency: rapid.StringMatching(`[A-Z]{3}`).Draw(t, "currency"), CustomerStatus: rapid.SampledFrom([]string{"", "New", "Return", "Lapsed"}).Draw(t, "status"),
		CustomerCountry: maybe.Draw(t, "country"), Action: maybe.Draw(t, "action"), CJEvent: maybe.Draw(t, "cjevent"),
		Coupons: rapid.SliceOfN(text, 0, 3).Draw(t, "coupons"),
	}
	if len(o.Coupons) == 0 {
		o.Coupons = nil
	}
	if rapid.Bool().Draw(t, "says consent") {
		consent := rapid.Bool().Draw(t, "consent")
		o.Consent = &consent
	}
	if rapid.Bool().Draw(t, "has items") {
		for range rapid.IntRange(1, 4).Draw(t, "items") {
			o.Items = append(o.Items, Item{SKU: text.Draw(t, "sku"), UnitPrice: amount.Draw(t, "price"), Quantity: rapid.Int64Range(0, maxQuantity).Draw(t, "units")})
		}
		if price := o.Items[0]; price.Quantity > 0 {
			o.Items[0].Discount = price.UnitPrice
		}
	} else {
		total := amount.Draw(t, "total")
		o.Amount, o.Discount = &total, total
	}
	names := rapid.SliceOfNDistinct(text, 0, 4, strings.ToLower).Draw(t, "names")
	slices.Sort(names)
	for _, name := range names {
		o.Attributes = append(o.Attributes, Attribute{name, text.Draw(t, "value")})
	}
	return o
}

func TestOrderComesBackFromJSON(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		o := anyOrder(t, "18", "18", 1)
		require.NoError(t, o.validate())
		encoded, err := o.AppendJSON(nil)
		require.NoError(t, err)
		again, err := decodeJSONOrder(encoded)
		require.NoError(t, err, string(encoded))
		require.Equal(t, o, again)
	})
}

func TestOrderComesBackFromAvro(t *testing.T) {
	t.Parallel()

	decode, err := NewOrderDecoder(FormatAvro, registryOf(OrderConfirmedSchema))
	require.NoError(t, err)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		o := anyOrder(t, "14", "4", time.Millisecond)
		encoded, err := EncodeOrder(1, o)
		require.NoError(t, err)
		again, err := decode(ctx, encoded)
		require.NoError(t, err)
		require.Equal(t, o, again)
	})
}
