package qa

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// order is canonical JSON of an order with further members.
func order(id, members string) string {
	return fmt.Sprintf(`{"order_id": %q, "confirmed_at": "2026-03-27T11:02:07.123Z", "currency": "usd", %s}`, id, members)
}

const lead = `"amount": "5"`

func TestOrdersAreReadInEveryForm(t *testing.T) {
	t.Parallel()
	one, two := order("O-1", lead), order("O-2", lead)
	for name, test := range map[string]struct {
		text string
		ids  string
	}{
		"AnObject":           {one, "O-1"},
		"AnArray":            {"[" + one + ", " + two + "]", "O-1 O-2"},
		"OneALine":           {one + "\n" + two + "\n", "O-1 O-2"},
		"ArraysOneByOne":     {"[" + one + "]\n[]\n[" + two + "]", "O-1 O-2"},
		"ArrayAndThenObject": {"[" + one + "]" + two, "O-1 O-2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ids []string
			for _, o := range readOrders(t, test.text) {
				ids = append(ids, o.ID)
			}
			require.Equal(t, test.ids, strings.Join(ids, " "))
		})
	}
}

func TestOrdersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, problem string }{
		"Nothing":      {"", "has no order"},
		"EmptyArray":   {"[]", "has no order"},
		"NoJSON":       {"hello " + testClick, "is not JSON near byte"},
		"HalfAnOrder":  {order("O-1", lead)[:40], "ends too early"},
		"HalfAnArray":  {"[" + order("O-1", lead), "ends too early"},
		"NoObject":     {"[1]", "order 1: not a JSON object"},
		"ArrayInArray": {"[[" + order("O-1", lead) + "]]", "order 1: not a JSON object"},
		"BrokenRule":   {order("O-1", lead) + order("O-2", `"items": [], "discount": "1"`), "orders.json: order 2: items"},
		"FieldTwice":   {order("O-1", lead+", "+lead), "order 1: "},
		"TooMany":      {strings.Repeat(order("O-1", lead), OrdersMax+1), "choose some"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadOrders(t.Context(), "orders.json", []byte(test.text), jsonDecoder(t))
			require.ErrorContains(t, err, test.problem)
			require.ErrorContains(t, err, "orders.json: ")
			require.NotContains(t, err.Error(), testClick)
		})
	}
}

func TestOwnOrdersAreClassedByWhatTheyCover(t *testing.T) {
	t.Parallel()
	items := func(first, second string) string {
		return `"items": [{"sku": "A", "unit_price": "10", "quantity": 2` + first + `}, {"sku": "B", "unit_price": "5.5", "quantity": 1` + second + `}]`
	}
	const off = `, "discount": "1"`
	for name, test := range map[string]struct {
		members string
		want    Case
		why     string
	}{
		"Plain":          {items("", ""), RetailPlain, ""},
		"OrderDiscount":  {items("", "") + off, RetailOrderDiscount, ""},
		"ItemDiscount":   {items("", off), RetailItemDiscount, ""},
		"BothDiscounts":  {items(off, "") + off, RetailBothDiscounts, ""},
		"OneProduct":     {`"items": [{"sku": "A", "unit_price": "10", "quantity": 2}]`, "", "two products"},
		"SameProduct":    {`"items": [{"sku": "A", "unit_price": "10", "quantity": 2}, {"sku": "A", "unit_price": "10", "quantity": 1}]`, "", "two products"},
		"OneOfEach":      {`"items": [{"sku": "A", "unit_price": "10", "quantity": 1}, {"sku": "B", "unit_price": "10", "quantity": 1}]`, "", "quantity of two"},
		"Travel":         {items("", "") + `, "attributes": {"RoomType": "suite"}`, TravelReservation, ""},
		"TravelByPixel":  {lead + `, "attributes": {"booking_status": "confirmed"}`, TravelReservation, ""},
		"TravelRenamed":  {lead + `, "attributes": {"kindOfTrip": "HOTEL"}`, TravelReservation, ""},
		"Finance":        {lead + `, "attributes": {"applicationStatus": "pended", "prequalify": "No"}`, FinanceApplication, ""},
		"Prequalified":   {lead + `, "attributes": {"pre_qual": "yes"}`, FinancePrequalified, ""},
		"Lead":           {lead + `, "attributes": {"brand": "x", "mine": "y"}`, LeadWithoutItems, ""},
		"RetailWithNote": {items("", "") + `, "attributes": {"brand": "x"}`, RetailPlain, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			account := SampleAccount()
			account.AttributeNames = map[string]string{"KindOfTrip": "travelType"}
			own := Own(account, readOrders(t, order("O-1", test.members)))
			require.Equal(t, test.want, own[0].Case)
			if test.why != "" {
				require.Contains(t, own[0].Notes[0], test.why)
			}
			run := rehearsed(t, account, own)
			require.Empty(t, run.Results[0].Failures)
		})
	}
}

func TestOwnOrdersSayWhatTheyDoNotCover(t *testing.T) {
	t.Parallel()
	account := SampleAccount()
	run := rehearsed(t, account, Own(account, readOrders(t, order("O-1", lead)+order("O-2", lead+`, "consent": false`)+
		order("O-3", `"items": [{"sku": "A", "unit_price": "10", "quantity": 2, "discount": 1}, {"sku": "B", "unit_price": "0.335", "quantity": 3}], "discount": "0.005"`))))
	require.Equal(t, 2, run.Passed())
	require.Contains(t, run.resultOf(t, "own-2").Failures[0], "no_consent")
	require.Nil(t, run.resultOf(t, "own-2").Rehearsal, "it was not sent")
	require.Equal(t, "20.00", amountText(run.resultOf(t, "own-3").Expected.Total))
	require.Contains(t, run.resultOf(t, "own-3").Notes[0], "no coupon code")
	require.Equal(t, []Case{RetailPlain, RetailOrderDiscount, RetailItemDiscount, TravelReservation, FinanceApplication, FinancePrequalified}, run.Summary().NotCovered)
	html, markdown := bothReports(t, run)
	require.Contains(t, html, "not covered")
	require.Contains(t, markdown, "| Travel, standard reservation | ")
}

func TestTheSameOrderTwiceIsADuplicate(t *testing.T) {
	t.Parallel()
	account := SampleAccount()
	run := rehearsed(t, account, Own(account, readOrders(t, order("O-1", lead)+order("O-1", lead)+order("O-1", lead+`, "action": "lead"`))))
	require.True(t, run.Results[0].Passed())
	require.Contains(t, run.Results[1].Failures[0], "duplicate")
	require.True(t, run.Results[2].Passed(), "another action is another order")
}

func TestAnOwnOrdersClickIsNotUsed(t *testing.T) {
	t.Parallel()
	account, shoppers := SampleAccount(), strings.Repeat("a", 32)
	run := rehearsed(t, account, Own(account, readOrders(t, order("O-1", lead+`, "cjevent": "`+shoppers+`", "session_id": "visit-81f0"`))))
	require.True(t, run.Results[0].Passed())
	html, markdown := bothReports(t, run)
	for _, report := range []string{html, markdown} {
		require.Contains(t, report, "CJEVENT="+testClick)
		require.Contains(t, report, "was not used")
		require.NotContains(t, report, shoppers)
		require.NotContains(t, report, "visit-81f0")
	}
}

func TestOrdersThatCannotBeSentAreReported(t *testing.T) {
	t.Parallel()
	account := SampleAccount()
	run := rehearsed(t, account, Own(account, readOrders(t, order("O 1", lead)+order("O-2", lead+`, "action": "rental"`)+order("O-3", lead+`, "attributes": {"amt1": "5"}`))))
	require.Zero(t, run.Passed())
	require.Contains(t, run.Results[0].Failures[0], "no postback: order_id")
	require.Contains(t, run.Results[1].Failures[0], "no postback: action")
	require.Contains(t, run.Results[2].Failures[0], "no postback: attributes")
	_, markdown := bothReports(t, run)
	require.Contains(t, markdown, "None could be built.")
	require.NotContains(t, markdown, "**WRONG**", "nothing was compared")
}
