package postback_test

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

var address = regexp.MustCompile(`[[:alnum:]](@|%40)[[:alnum:]]+\.[[:alpha:]]{2}`)

// FuzzBuild builds orders of any text. What builds must read back, through a decoder that is not ours, as
// exactly the order's parameters, none of them empty or given twice; what does not must say why.
func FuzzBuild(f *testing.F) {
	f.Add("ORD-1", click, "USD", "SKU-1", "22.99", "5", int64(2), "10", "", "SAVE 10,VIP", "New", "us", "businessUnit", "eu", "DEST_CITY", "New York", int64(1705342116089))
	f.Add("ORD-1", click, "EUR", "", "", "", int64(0), "0", "19.9", "", "", "", "iata", "JFK,LHR", "IATA", "LHR", int64(1705342116089))
	f.Add("jane%2540example.com", "x", "usd", "é", "0.001", "0", int64(-1), "", "", "a,,b", "jane@example.com", "USA", "ITEM1", "100%", "", "\xff", int64(-1))
	f.Add("1", "1", "USD", "a", "1", "1", int64(1), "", "", "+%&=#;", "\u00e9", "", "a.b", "\u2028 \U0001F600+", "c", "%25%34%30", int64(1))
	f.Fuzz(func(t *testing.T, id, clickID, currency, sku, price, lineDiscount string, quantity int64, discount, amount, coupons, status, country,
		name1, value1, name2, value2 string, at int64) {
		order := &schema.Order{
			ID: id, Currency: currency, CustomerStatus: status, CustomerCountry: country, ConfirmedAt: time.UnixMilli(at).UTC(),
			Coupons: strings.Split(coupons, ","), Attributes: attributes(name1, value1, name2, value2),
			Discount: fuzzMoney(discount),
		}
		if amount != "" {
			m := fuzzMoney(amount)
			order.Amount = &m
		}
		if sku != "" {
			item := schema.Item{SKU: sku, UnitPrice: fuzzMoney(price), Quantity: quantity, Discount: fuzzMoney(lineDiscount)}
			order.Items = []schema.Item{item, {SKU: "second"}}
		}
		a := advertiser()
		a.MaxQueryBytes = 1024
		a.AttributeNames = map[string]string{"dest_city": "destinationCity"}
		query, err := newBuilder(t, a).Build(order, clickID, now)
		if err != nil {
			require.NotRegexp(t, address, fieldError(t, err).Error())
			require.Zero(t, query)
			return
		}
		again, err := newBuilder(t, a).Build(order, clickID, now.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, query.Raw(), again.Raw())
		require.LessOrEqual(t, len(query.Raw()), 1024)
		require.Equal(t, expected(order, clickID), decoded(t, query))
	})
}

// fuzzMoney is zero where the text is no money, which is schema's to refuse.
func fuzzMoney(text string) schema.Money {
	m, _ := schema.ParseMoney(text)
	return m
}

func decoded(t *testing.T, query postback.Query) map[string]string {
	values, err := url.ParseQuery(query.Raw())
	require.NoError(t, err)
	params, lower := map[string]string{}, map[string]bool{}
	for name, list := range values {
		require.Len(t, list, 1, "%s is given twice", name)
		require.NotEmpty(t, list[0], "%s is empty", name)
		require.NotContains(t, lower, strings.ToLower(name))
		lower[strings.ToLower(name)] = true
		params[name] = list[0]
	}
	require.Len(t, query.Params(), len(params))
	for _, param := range query.Params() {
		require.Equal(t, params[param.Name], param.Value)
	}
	return params
}

func expected(order *schema.Order, clickID string) map[string]string {
	params := map[string]string{
		"CID": "1234567", "TYPE": "398210", "METHOD": "S2S", "CJEVENT": clickID, "OID": order.ID, "CURRENCY": order.Currency,
		"EVENTTIME": order.ConfirmedAt.Format("2006-01-02T15:04:05.000Z"),
	}
	set := func(name, value string) {
		if value != "" {
			params[name] = value
		}
	}
	var codes []string
	for _, code := range order.Coupons {
		if code != "" {
			codes = append(codes, code)
		}
	}
	set("COUPON", strings.Join(codes, ","))
	if order.Amount != nil {
		set("AMOUNT", order.Amount.String())
	}
	for i, item := range order.Items {
		number := strconv.Itoa(i + 1)
		set("ITEM"+number, item.SKU)
		set("AMT"+number, item.UnitPrice.String())
		set("QTY"+number, strconv.FormatInt(item.Quantity, 10))
		if !item.Discount.IsZero() {
			set("DCNT"+number, item.Discount.String())
		}
	}
	if !order.Discount.IsZero() {
		set("DISCOUNT", order.Discount.String())
	}
	set("CUST_STATUS", order.CustomerStatus)
	set("customerCountry", strings.ToUpper(order.CustomerCountry))
	for _, attribute := range order.Attributes {
		if strings.EqualFold(attribute.Name, "dest_city") {
			attribute.Name = "destinationCity"
		}
		set(attribute.Name, attribute.Value)
	}
	return params
}
