package qa

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// doctored puts a sender with a mistake in the place of the real one: it reports another order than it was given.
func doctored(mistake func(o *schema.Order)) func(*Run) {
	return func(r *Run) {
		build := r.build
		r.build = func(o *schema.Order, clickID string, now time.Time) (postback.Query, error) {
			wrong := *o
			wrong.Items, wrong.Attributes = slices.Clone(o.Items), slices.Clone(o.Attributes)
			mistake(&wrong)
			return build(&wrong, clickID, now)
		}
	}
}

func money(text string) schema.Money {
	amount, err := schema.ParseMoney(text)
	if err != nil {
		panic(err)
	}
	return amount
}

func TestAMistakeOfTheSenderFailsTheScenario(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		scenario Case
		mistake  func(o *schema.Order)
		failures []string
	}{
		"DiscountOfTheUnitForTheLine": {RetailItemDiscount, func(o *schema.Order) { o.Items[0].Discount = money("2.50") },
			[]string{"DCNT1: must be 5.00, but CJ would read 2.50", "item discounts: must come to 5.00, but CJ would make it 2.50", "total: must come to 105.48, but CJ would make it 107.98"}},
		"DiscountLost": {RetailOrderDiscount, func(o *schema.Order) { o.Discount = schema.Money{} },
			[]string{"DISCOUNT: must be 16.57, but is missing", "total: must come to 93.91, but CJ would make it 110.48"}},
		"ItemDiscountAlsoInTheOrderDiscount": {RetailBothDiscounts, func(o *schema.Order) { o.Discount = money("15.55") },
			[]string{"DISCOUNT: must be 10.55, but CJ would read 15.55", "total: must come to 94.93, but CJ would make it 89.93"}},
		"QuantityOfOne": {RetailPlain, func(o *schema.Order) { o.Items[0].Quantity = 1 },
			[]string{"QTY1: must be 2, but CJ would read 1", "units: must come to 3, but CJ would make it 2", "subtotal: must come to 110.48, but CJ would make it 87.49"}},
		"PriceOfTheLine": {RetailPlain, func(o *schema.Order) { o.Items[0].UnitPrice = money("45.98") },
			[]string{"AMT1: must be 22.99, but CJ would read 45.98", "total: must come to 110.48, but CJ would make it 156.46"}},
		"Cents": {LeadWithoutItems, func(o *schema.Order) { amount := money("4025"); o.Amount = &amount },
			[]string{"AMOUNT: must be 40.25, but CJ would read 4025.00", "total: must come to 40.25, but CJ would make it 4025.00"}},
		"AmountOffByACent": {FinanceApplication, func(o *schema.Order) { amount := money("94.99"); o.Amount = &amount },
			[]string{"AMOUNT: must be 95.00, but CJ would read 94.99"}},
		"LineLost": {RetailPlain, func(o *schema.Order) { o.Items = o.Items[:1] },
			[]string{"ITEM2: must be JKT-NVY-M, but is missing", "products: must come to 2, but CJ would make it 1"}},
		"LinesSwapped": {RetailPlain, func(o *schema.Order) { o.Items[0].SKU, o.Items[1].SKU = o.Items[1].SKU, o.Items[0].SKU },
			[]string{"ITEM1: must be TEE-BLK-L, but CJ would read JKT-NVY-M"}},
		"Currency": {RetailPlain, func(o *schema.Order) { o.Currency = "EUR" },
			[]string{"CURRENCY: must be USD, but CJ would read EUR"}},
		"HourOnly": {RetailPlain, func(o *schema.Order) { o.ConfirmedAt = o.ConfirmedAt.Add(-time.Second).Truncate(time.Hour) },
			[]string{"EVENTTIME: must be 2026-03-27T12:00:00.000Z, but CJ would read 2026-03-27T11:00:00.000Z"}},
		"Coupon": {RetailBothDiscounts, func(o *schema.Order) { o.Coupons = o.Coupons[:1] },
			[]string{"COUPON: must be TEE250OFF,SAVE10, but CJ would read TEE250OFF"}},
		"ActionTracker": {LeadWithoutItems, func(o *schema.Order) { o.Action = "sale" },
			[]string{"TYPE: must be 398211, but CJ would read 398210"}},
		"AttributeLost": {TravelReservation, func(o *schema.Order) { o.Attributes = o.Attributes[1:] },
			[]string{"bookingDate: must be 2026-03-27, but is missing"}},
		"AttributeInvented": {LeadWithoutItems, func(o *schema.Order) { o.Attributes = []schema.Attribute{{Name: "sessionId", Value: "s-1"}} },
			[]string{"sessionId: nothing in the order asks for this parameter"}},
		"CustomerStatus": {RetailPlain, func(o *schema.Order) { o.CustomerStatus = "" },
			[]string{"CUST_STATUS: must be New, but is missing"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := SampleAccount()
			only := slices.DeleteFunc(Samples(account, now), func(s Scenario) bool { return s.Case != test.scenario })
			run := rehearsed(t, account, only, doctored(test.mistake))
			for _, failure := range test.failures {
				require.Contains(t, run.Results[0].Failures, failure)
			}
			require.Zero(t, run.Passed())
			require.False(t, run.Summary().Passed)
			html, markdown := bothReports(t, run)
			require.Contains(t, html, "0 of 1 scenarios passed")
			require.Contains(t, html, "✕ failed")
			require.Contains(t, markdown, "**FAILED**")
			require.Contains(t, markdown, "**WRONG**")
		})
	}
}

func TestAnotherClickIDFailsWithoutShowingEither(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("f", 32)
	run := rehearsed(t, SampleAccount(), Samples(SampleAccount(), now), func(r *Run) {
		build := r.build
		r.build = func(o *schema.Order, _ string, now time.Time) (postback.Query, error) { return build(o, other, now) }
	})
	require.Zero(t, run.Passed())
	require.Equal(t, []string{"CJEVENT: must be (32 characters), but CJ would read (32 characters)"}, run.Results[0].Failures)
}

func TestAnAnswerWithoutAnArrivalFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer  postback.Answer
		failure string
	}{
		"Claimed":      {postback.Answer{Class: postback.Acknowledged, Status: 200}, "nothing arrived at the fake CJ"},
		"Unanswered":   {postback.Answer{Class: postback.Retry, Err: errors.New("connection refused")}, "the fake CJ did not take it: connection refused"},
		"NeverDefined": {postback.Answer{}, "the fake CJ did not take it: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run := rehearsed(t, SampleAccount(), Samples(SampleAccount(), now), func(r *Run) {
				r.send = func(context.Context, *postback.Client, postback.Query) postback.Answer { return test.answer }
			})
			require.Zero(t, run.Passed())
			require.Contains(t, run.Results[0].Failures, test.failure)
			require.Contains(t, run.Results[0].Failures, "nothing arrived at the fake CJ")
		})
	}
}

func TestCJsRulesAreTheFakesOwn(t *testing.T) {
	t.Parallel()
	// The sender's clock is behind, so it does not see that the order is from the future; the fake CJ does.
	late := Samples(SampleAccount(), now.Add(time.Hour))[:1]
	run := rehearsed(t, SampleAccount(), late, func(r *Run) {
		build := r.build
		r.build = func(o *schema.Order, clickID string, _ time.Time) (postback.Query, error) {
			return build(o, clickID, now.Add(2*time.Hour))
		}
	})
	require.Len(t, run.Results[0].Failures, 2)
	require.Contains(t, run.Results[0].Failures[0], "400")
	require.Contains(t, run.Results[0].Failures[1], "CJ's rules: EVENTTIME")
}
