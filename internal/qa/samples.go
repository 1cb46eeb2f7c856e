package qa

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"github.com/cjrelay/cjrelay/schema"
)

// sample is an order that we made up, and what it comes to, worked out by hand.
type sample struct {
	Case
	// order is canonical JSON without order_id and confirmed_at. {today}, {in30}, {in33} become dates.
	order    string
	expected handwritten
}

// handwritten is a Totals as text.
type handwritten struct {
	lines                                         int
	units                                         int64
	subtotal, itemDiscounts, orderDiscount, total string
}

// The prices are uneven, so that a discount for each unit instead of the line, a lost cent or a float shows in
// the total.
var samples = []sample{
	{RetailPlain, `"currency": "USD", "customer_status": "New", "customer_country": "US",
		"items": [{"sku": "TEE-BLK-L", "unit_price": "22.99", "quantity": 2}, {"sku": "JKT-NVY-M", "unit_price": "64.50", "quantity": 1}]`,
		handwritten{2, 3, "110.48", "0.00", "0.00", "110.48"}},
	{RetailOrderDiscount, `"currency": "USD", "customer_status": "Return", "customer_country": "US",
		"items": [{"sku": "TEE-BLK-L", "unit_price": "22.99", "quantity": 2}, {"sku": "JKT-NVY-M", "unit_price": "64.50", "quantity": 1}],
		"discount": "16.57", "coupons": ["SAVE15"]`,
		handwritten{2, 3, "110.48", "0.00", "16.57", "93.91"}},
	{RetailItemDiscount, `"currency": "USD", "customer_status": "New", "customer_country": "CA",
		"items": [{"sku": "TEE-BLK-L", "unit_price": "22.99", "quantity": 2, "discount": "5.00"}, {"sku": "JKT-NVY-M", "unit_price": "64.50", "quantity": 1}],
		"coupons": ["TEE250OFF"]`,
		handwritten{2, 3, "110.48", "5.00", "0.00", "105.48"}},
	{RetailBothDiscounts, `"currency": "USD", "customer_status": "Lapsed", "customer_country": "US",
		"items": [{"sku": "TEE-BLK-L", "unit_price": "22.99", "quantity": 2, "discount": "5.00"}, {"sku": "JKT-NVY-M", "unit_price": "64.50", "quantity": 1}],
		"discount": "10.55", "coupons": ["TEE250OFF", "SAVE10"]`,
		handwritten{2, 3, "110.48", "5.00", "10.55", "94.93"}},
	{TravelReservation, `"currency": "USD", "customer_status": "New", "customer_country": "US",
		"items": [{"sku": "HTL-4411-DLX", "unit_price": "189.35", "quantity": 3, "discount": "28.40"}],
		"attributes": {"travelType": "HOTEL", "bookingDate": "{today}", "bookingStatus": "confirmed", "startDateTime": "{in30}T15:00:00Z",
			"endDateTime": "{in33}T11:00:00Z", "duration": 3, "rooms": 1, "guests": 2, "roomType": "deluxe double",
			"destinationCity": "New York", "destinationState": "US-NY", "destinationCountry": "US"}`,
		handwritten{1, 3, "568.05", "28.40", "0.00", "539.65"}},
	{FinanceApplication, `"currency": "USD", "customer_country": "US", "amount": "95.00",
		"attributes": {"applicationStatus": "pended", "cardCategory": "CASH_BACK_REWARD_CARDS", "annualFee": "95.00", "serviceType": "credit_card", "prequalify": "No"}`,
		handwritten{0, 0, "95.00", "0.00", "0.00", "95.00"}},
	{FinancePrequalified, `"currency": "USD", "customer_country": "US", "amount": "95.00",
		"attributes": {"applicationStatus": "instant_approved", "cardCategory": "CASH_BACK_REWARD_CARDS", "annualFee": "95.00", "creditLine": "5000.00", "serviceType": "credit_card", "prequalify": "Yes"}`,
		handwritten{0, 0, "95.00", "0.00", "0.00", "95.00"}},
	{LeadWithoutItems, `"currency": "USD", "customer_status": "New", "amount": "40.25"`,
		handwritten{0, 0, "40.25", "0.00", "0.00", "40.25"}},
}

// leadAction is the action of the samples that are leads, where the account has one of that name.
const leadAction = "lead"

// Samples makes the sample scenarios for an account, all confirmed at the same time, to the millisecond.
func Samples(account Account, at time.Time) []Scenario {
	scenarios := make([]Scenario, len(samples))
	for i, sample := range samples {
		scenarios[i] = sample.scenario(account, at.UTC().Truncate(time.Millisecond))
	}
	return scenarios
}

func (s sample) scenario(account Account, at time.Time) Scenario {
	var action string
	var notes []string
	if vertical := s.Info().Vertical; vertical == "lead" || vertical == "finance" {
		if _, has := account.Actions[leadAction]; has {
			action = `"action": "` + leadAction + `", `
		} else {
			notes = append(notes, "The configuration has no action of the name lead, so this order goes to the default action, "+account.DefaultAction+". CJ sets up leads and sales as different actions.")
		}
	}
	day := func(days int) string { return at.AddDate(0, 0, days).Format(time.DateOnly) }
	text := fmt.Sprintf(`{"order_id": %q, "confirmed_at": %q, %s%s}`, string(s.Case), at.Format(time.RFC3339Nano), action,
		strings.NewReplacer("{today}", day(0), "{in30}", day(30), "{in33}", day(33)).Replace(s.order))
	return Scenario{
		Name: string(s.Case), Case: s.Case, Title: s.Info().Title, Order: mustDecode(text), Expected: s.expected.totals(), Notes: notes,
	}
}

func (h handwritten) totals() Totals {
	return Totals{
		Lines: h.lines, Units: h.units,
		Subtotal: decimal.RequireFromString(h.subtotal), ItemDiscounts: decimal.RequireFromString(h.itemDiscounts),
		OrderDiscount: decimal.RequireFromString(h.orderDiscount), Total: decimal.RequireFromString(h.total),
	}
}

// mustDecode reads an order of our own making.
func mustDecode(text string) *schema.Order {
	decode, err := schema.NewOrderDecoder(schema.FormatJSON, nil)
	if err != nil {
		panic(err)
	}
	order, err := decode(context.Background(), []byte(text))
	if err != nil {
		panic(fmt.Sprintf("sample order %s: %v", text, err))
	}
	return order
}
