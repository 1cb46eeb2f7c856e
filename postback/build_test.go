package postback_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

func TestBuild(t *testing.T) {
	t.Parallel()
	const head = "CID=1234567&TYPE=398210&METHOD=S2S&CJEVENT=" + click + "&EVENTTIME=2024-01-15T18%3A08%3A36.089Z&OID=ORD-1&CURRENCY=USD"

	for _, test := range []struct {
		name   string
		change func(t *testing.T, a *postback.Advertiser, o *schema.Order)
		want   string
	}{
		{"AmountStandsWhereTheItemsWould", func(t *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Coupons, o.Discount = []string{"TEN"}, money(t, "1")
		}, head + "&COUPON=TEN&AMOUNT=19.90&DISCOUNT=1.00"},
		{"FreeOrder", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Amount = &schema.Money{}
		}, head + "&AMOUNT=0.00"},
		{"ItemsWithAndWithoutDiscount", func(t *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Amount = nil
			o.Items = []schema.Item{
				{SKU: "A_1", UnitPrice: money(t, "22.99"), Quantity: 2, Discount: money(t, "5")},
				{SKU: "b-2", UnitPrice: money(t, "1000"), Quantity: 0},
			}
		}, head + "&ITEM1=A_1&AMT1=22.99&QTY1=2&DCNT1=5.00&ITEM2=b-2&AMT2=1000.00&QTY2=0"},
		{"ExactMoney", func(t *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Amount = nil
			o.Items = []schema.Item{
				{SKU: "A", UnitPrice: money(t, "0.1"), Quantity: 3},
				{SKU: "B", UnitPrice: money(t, "109.9550"), Quantity: 1},
				{SKU: "C", UnitPrice: money(t, "90071992547409.93"), Quantity: 9007199254740993},
			}
		}, head + "&ITEM1=A&AMT1=0.10&QTY1=3&ITEM2=B&AMT2=109.955&QTY2=1&ITEM3=C&AMT3=90071992547409.93&QTY3=9007199254740993"},
		{"SeveralCouponsAndEmptyOnes", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Coupons = []string{"", "SAVE 10", "", "VIP+", ""}
		}, head + "&COUPON=SAVE%2010%2CVIP%2B&AMOUNT=19.90"},
		{"NoCouponButEmptyOnes", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Coupons = []string{"", ""}
		}, head + "&AMOUNT=19.90"},
		{"CustomerInUpperCaseCountry", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.CustomerStatus, o.CustomerCountry = "Lapsed", "de"
		}, head + "&AMOUNT=19.90&CUST_STATUS=Lapsed&customerCountry=DE"},
		{"AnotherAction", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Action = "lead"
		}, strings.Replace(head, "398210", "398211", 1) + "&AMOUNT=19.90"},
		{"SignatureComesLast", func(_ *testing.T, a *postback.Advertiser, o *schema.Order) {
			a.Signature = signature + "=/"
			o.Attributes = []schema.Attribute{{Name: "brand", Value: "x"}}
		}, head + "&AMOUNT=19.90&brand=x&SIGNATURE=" + signature + "%3D%2F"},
		{"AttributesKeepTheirSequence", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Attributes = []schema.Attribute{{Name: "iata", Value: "JFK,LHR"}, {Name: "brand", Value: ""}, {Name: "dest_city", Value: "Zürich & Genève"}}
		}, head + "&AMOUNT=19.90&iata=JFK%2CLHR&dest_city=Z%C3%BCrich%20%26%20Gen%C3%A8ve"},
		{"UnreservedCharactersStay", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Attributes = []schema.Attribute{{Name: "category", Value: "Az09-._~!*'()+%/"}}
		}, head + "&AMOUNT=19.90&category=Az09-._~%21%2A%27%28%29%2B%25%2F"},
		{"VerticalValuesAreNotJudged", func(_ *testing.T, _ *postback.Advertiser, o *schema.Order) {
			o.Attributes = []schema.Attribute{{Name: "guests", Value: "two"}, {Name: "prequalify", Value: "perhaps"}}
		}, head + "&AMOUNT=19.90&guests=two&prequalify=perhaps"},
		{"MappedNames", func(_ *testing.T, a *postback.Advertiser, o *schema.Order) {
			a.AttributeNames = map[string]string{"BusinessUnit": "bus_unit", "business area": "area", "discount": "couponDiscount"}
			o.Attributes = []schema.Attribute{{Name: "businessunit", Value: "eu"}, {Name: "business area", Value: "north"}, {Name: "DISCOUNT", Value: "3"}, {Name: "brand", Value: "x"}}
		}, head + "&AMOUNT=19.90&bus_unit=eu&area=north&couponDiscount=3&brand=x"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, order := advertiser(), simpleOrder(t)
			test.change(t, &a, order)
			require.Equal(t, test.want, build(t, a, order).Raw())
		})
	}
}

func TestEventTime(t *testing.T) {
	t.Parallel()
	newYork := time.FixedZone("", -5*3600)
	for _, test := range []struct {
		name string
		at   time.Time
		want string
	}{
		{"WholeSecondHasThreeDigits", time.Date(2026, 3, 27, 11, 2, 7, 0, time.UTC), "2026-03-27T11%3A02%3A07.000Z"},
		{"CutNotRounded", time.Date(2026, 3, 27, 11, 2, 7, 999_999_999, time.UTC), "2026-03-27T11%3A02%3A07.999Z"},
		{"AnotherZone", time.Date(2026, 3, 27, 22, 2, 7, 123_000_000, newYork), "2026-03-28T03%3A02%3A07.123Z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			order := simpleOrder(t)
			order.ConfirmedAt = test.at
			query, err := newBuilder(t, advertiser()).Build(order, click, test.at)
			require.NoError(t, err, "the very moment is not the future")
			require.Contains(t, query.Raw(), "&EVENTTIME="+test.want+"&")
		})
	}
}

func TestSameOrderAndClickGiveTheSameBytes(t *testing.T) {
	t.Parallel()
	a := advertiser()
	a.AttributeNames = map[string]string{"a": "x", "b": "y", "c": "z"}
	order := orderOfItems(t, 3)
	order.Attributes = []schema.Attribute{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}, {Name: "c", Value: "3"}, {Name: "d", Value: "4"}}
	first := build(t, a, order)
	for hours := range 50 {
		again, err := newBuilder(t, a).Build(order, click, now.Add(time.Duration(hours)*time.Hour))
		require.NoError(t, err)
		require.True(t, first == again)
		require.Equal(t, first.SHA256(), again.SHA256())
	}
	other, err := newBuilder(t, a).Build(order, "other", now)
	require.NoError(t, err)
	require.False(t, first == other)
}

func TestBuilderKeepsItsOwnSetUp(t *testing.T) {
	t.Parallel()
	a := advertiser()
	a.AttributeNames = map[string]string{"brand": "brandId"}
	builder := newBuilder(t, a)
	order := simpleOrder(t)
	order.Attributes = []schema.Attribute{{Name: "brand", Value: "x"}}
	before, err := builder.Build(order, click, now)
	require.NoError(t, err)
	a.Actions["sale"], a.AttributeNames["brand"] = "1", "OID"
	after, err := builder.Build(order, click, now)
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestLimitsAreReached(t *testing.T) {
	t.Parallel()
	order := orderOfItems(t, 100)
	order.ID = strings.Repeat("x", 96)
	order.Items[99].SKU = strings.Repeat("y", 100)
	order.Coupons = []string{strings.Repeat("é", 200), strings.Repeat("z", 55)}
	order.Attributes = []schema.Attribute{{Name: strings.Repeat("n", 64), Value: "v"}}
	longest := strings.Repeat("c", 64)
	query, err := newBuilder(t, advertiser()).Build(order, longest, now)
	require.NoError(t, err)
	require.Contains(t, query.Raw(), "&ITEM100="+strings.Repeat("y", 100)+"&AMT100=")

	a := advertiser()
	a.MaxQueryBytes = len(query.Raw())
	exact, err := newBuilder(t, a).Build(order, longest, now)
	require.NoError(t, err)
	require.Equal(t, query, exact)
	a.MaxQueryBytes--
	_, err = newBuilder(t, a).Build(order, longest, now)
	require.Equal(t, "query", fieldError(t, err).Field)
}

func TestTracker(t *testing.T) {
	t.Parallel()
	builder := newBuilder(t, advertiser())
	name, id, err := builder.Tracker("")
	require.NoError(t, err)
	require.Equal(t, []string{"sale", "398210"}, []string{name, id})
	name, id, err = builder.Tracker("lead")
	require.NoError(t, err)
	require.Equal(t, []string{"lead", "398211"}, []string{name, id})
	_, _, err = builder.Tracker("Sale")
	require.EqualError(t, err, `action "Sale": is not a configured action; configured are lead, sale`)

	a := advertiser()
	a.DefaultAction = ""
	_, _, err = newBuilder(t, a).Tracker("")
	require.EqualError(t, err, "action must be given, since no default action is configured; configured are lead, sale")
}
