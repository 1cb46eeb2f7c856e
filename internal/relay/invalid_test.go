package relay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Orders that read well but break a rule: of the canonical form, or of what CJ takes.
func TestInvalidOrderEndsAsDeadLetter(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	// with is a valid order with some of its members replaced; "-" takes one away.
	orders := 0
	with := func(changes ...string) []byte {
		orders++
		members := []string{"order_id", fmt.Sprintf(`"ORD-%d"`, orders), "confirmed_at", `"` + s.now.Format(time.RFC3339) + `"`, "currency", `"USD"`,
			"items", `[{"sku": "SKU-1", "unit_price": "22.99", "quantity": 2}]`, "cjevent", `"` + clickOf("1") + `"`}
		for i := 0; i < len(changes); i += 2 {
			replaced := false
			for j := 0; j < len(members); j += 2 {
				if members[j] == changes[i] {
					members[j+1], replaced = changes[i+1], true
				}
			}
			if !replaced {
				members = append(members, changes[i:i+2]...)
			}
		}
		var parts []string
		for i := 0; i < len(members); i += 2 {
			if members[i+1] != "-" {
				parts = append(parts, fmt.Sprintf("%q: %s", members[i], members[i+1]))
			}
		}
		return []byte("{" + strings.Join(parts, ", ") + "}")
	}
	item := func(members string) string { return "[{" + members + "}]" }
	at := func(d time.Duration) string { return `"` + time.Now().Add(d).UTC().Format(time.RFC3339) + `"` }
	invalid, unbuildable := schema.ReasonInvalidOrder, schema.ReasonUnbuildable

	s.requireDead(t, []bad{
		{"NoOrderID", with("order_id", "-"), invalid, "order_id is required"},
		{"OrderIDThatIsANumber", with("order_id", "17"), invalid, "order_id must be a string, not a number"},
		{"NoTime", with("confirmed_at", "-"), invalid, "confirmed_at is required"},
		{"TimeWithoutZone", with("confirmed_at", `"2026-03-27T11:02:07"`), invalid, "confirmed_at"},
		{"TimeThatWasNeverSet", with("confirmed_at", `"1970-01-01T00:00:00Z"`), invalid, "must not be before 2000-01-01"},
		{"NoCurrency", with("currency", "null"), invalid, "currency is required"},
		{"CurrencyThatIsNoCode", with("currency", `"US$"`), invalid, `currency "US$"`},
		{"CurrencyInTurkish", with("currency", `"ınr"`), invalid, "currency"},
		{"NeitherItemsNorAmount", with("items", "-"), invalid, "items is required"},
		{"ItemsAndAmount", with("amount", `"5"`), invalid, "must not stand beside items"},
		{"ItemsThatAreAnObject", with("items", "{}"), invalid, "items must be a list, not an object"},
		{"ItemThatIsNull", with("items", "[null]"), invalid, "items[0] must be an object"},
		{"ItemWithoutSKU", with("items", item(`"unit_price": "1", "quantity": 1`)), invalid, "items[0].sku is required"},
		{"ItemWithoutPrice", with("items", item(`"sku": "A", "quantity": 1`)), invalid, "items[0].unit_price is required"},
		{"ItemWithoutQuantity", with("items", item(`"sku": "A", "unit_price": "1"`)), invalid, "items[0].quantity is required"},
		{"NegativePrice", with("items", item(`"sku": "A", "unit_price": "-1", "quantity": 1`)), invalid, "items[0].unit_price"},
		{"PriceWithSeparator", with("items", item(`"sku": "A", "unit_price": "1,000.00", "quantity": 1`)), invalid, "items[0].unit_price"},
		{"PriceWithCurrency", with("items", item(`"sku": "A", "unit_price": "$5", "quantity": 1`)), invalid, "items[0].unit_price"},
		{"PriceThatIsTrue", with("items", item(`"sku": "A", "unit_price": true, "quantity": 1`)), invalid, "must be a decimal string or a number"},
		{"PriceBeyondMeasure", with("items", item(`"sku": "A", "unit_price": 1e400, "quantity": 1`)), invalid, "items[0].unit_price"},
		{"HalfAUnit", with("items", item(`"sku": "A", "unit_price": "1", "quantity": 0.5`)), invalid, "is fractional"},
		{"NegativeQuantity", with("items", item(`"sku": "A", "unit_price": "1", "quantity": -1`)), invalid, "items[0].quantity"},
		{"QuantityBeyond32Bits", with("items", item(`"sku": "A", "unit_price": "1", "quantity": 2147483648`)), invalid, "items[0].quantity"},
		{"QuantityThatIsText", with("items", item(`"sku": "A", "unit_price": "1", "quantity": "1"`)), invalid, "must be a number, not a string"},
		{"ItemDiscountsAboveTheOrder", with("items", item(`"sku": "A", "unit_price": "1", "quantity": 1, "discount": "1.01"`)), invalid, "discounts of 1.01"},
		{"DiscountAboveTheOrder", with("discount", `"45.99"`), invalid, "must not exceed the order's 45.98"},
		{"DiscountAboveTheAmount", with("items", "-", "amount", "10", "discount", "10.01"), invalid, "must not exceed the order's 10.00"},
		{"UnknownCustomerStatus", with("customer_status", `"VIP"`), invalid, "customer_status"},
		{"ConsentThatIsText", with("consent", `"false"`), invalid, "consent must be true or false"},
		{"AttributeThatRepeatsInAnotherCase", with("attributes", `{"wifi": "1", "WiFi": "2"}`), invalid, "repeats"},
		{"AttributeThatIsAList", with("attributes", `{"wifi": []}`), invalid, "must be a string, a number or a boolean"},
		{"AttributeWithoutName", with("attributes", `{"": "1"}`), invalid, "empty name"},
		{"CouponThatIsANumber", with("coupons", `[1]`), invalid, "coupons[0] must be a string"},

		{"OrderIDThatCJDoesNotTake", with("order_id", `"ORD 1"`), unbuildable, "order_id"},
		{"OrderIDThatIsTooLong", with("order_id", `"`+strings.Repeat("x", 97)+`"`), unbuildable, "at most 96 characters"},
		{"OrderIDWithEmail", with("order_id", `"jane@example.com"`), unbuildable, "e-mail"},
		{"SKUWithEmail", with("items", item(`"sku": "jane@example.com", "unit_price": "1", "quantity": 1`)), unbuildable, "e-mail"},
		{"SKUThatCJDoesNotTake", with("items", item(`"sku": "A/B", "unit_price": "1", "quantity": 1`)), unbuildable, "items[0].sku"},
		{"HundredAndOneItems", with("items", "["+strings.Repeat(`{"sku": "A", "unit_price": "1", "quantity": 1},`, 100)+`{"sku": "A", "unit_price": "1", "quantity": 1}]`), unbuildable, "100"},
		{"ActionWithoutTracker", with("action", `"lead"`), unbuildable, "configured are sale"},
		{"AttributeThatIsReserved", with("attributes", `{"amt1": "0.01"}`), unbuildable, "order's own fields"},
		{"AttributeWithEmail", with("attributes", `{"note": "to jane%2540example.com"}`), unbuildable, "e-mail"},
		{"CouponWithLineBreak", with("coupons", `["A\nB"]`), unbuildable, "control characters"},
		{"QueryBeyondTheLimit", with("attributes", `{"note": "`+strings.Repeat("x", 33<<10)+`"}`), unbuildable, "32768 bytes"},

		{"SixteenMinutesAhead", with("confirmed_at", at(16*time.Minute)), schema.ReasonFuture, "more than 15m0s in the future"},
		{"YearsAhead", with("confirmed_at", `"2999-01-01T00:00:00Z"`), schema.ReasonFuture, "in the future"},
	})
}

// The limits themselves are legal.
func TestOrderAtEveryLimitIsSent(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	longestID := strings.Repeat("x", 96)
	s.confirm(t, s.order(longestID, "", carrying(strings.Repeat("a", 64)), func(o *schema.Order) {
		o.Items = nil
		for range 100 {
			o.Items = append(o.Items, schema.Item{SKU: strings.Repeat("s", 100), UnitPrice: money("0.01"), Quantity: 1})
		}
		o.Discount = money("1.00") // the whole order
	}))
	s.start(t)
	s.awaitOutcomes(t, 1)
	s.audit(t).requireAcknowledged(t, s, longestID, strings.Repeat("a", 64), schema.ReasonCarried)
}
