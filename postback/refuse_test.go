package postback_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

func TestRefusesWhatCJWouldDrop(t *testing.T) {
	t.Parallel()
	negative := schema.Money{}.Sub(money(t, "0.01"))
	for _, test := range []struct {
		name   string
		change func(t *testing.T, o *schema.Order)
		want   string
	}{
		{"NoOrderID", func(_ *testing.T, o *schema.Order) { o.ID = "" }, "order_id must be given"},
		{"OrderIDWithBlank", func(_ *testing.T, o *schema.Order) { o.ID = "ORD 1" }, `order_id "ORD 1": may have only the characters A-Z a-z 0-9 - _ but has ' ' at position 4; CJ drops or changes others`},
		{"OrderIDOutsideASCII", func(_ *testing.T, o *schema.Order) { o.ID = "É1" }, `order_id "É1": may have only the characters A-Z a-z 0-9 - _ but has 'É' at position 1`},
		{"OrderIDTooLong", func(_ *testing.T, o *schema.Order) { o.ID = strings.Repeat("x", 97) }, "(97 characters): may be at most 96 characters long; CJ cuts longer ones, and two could become one"},
		{"NoSKU", func(_ *testing.T, o *schema.Order) { o.Items[1].SKU = "" }, "items[1].sku must be given"},
		{"SKUWithDot", func(_ *testing.T, o *schema.Order) { o.Items[1].SKU = "A.1" }, `items[1].sku "A.1": may have only the characters A-Z a-z 0-9 - _ but has '.' at position 2`},
		{"SKUTooLong", func(_ *testing.T, o *schema.Order) { o.Items[1].SKU = strings.Repeat("x", 101) }, "items[1].sku"},
		{"NegativeQuantity", func(_ *testing.T, o *schema.Order) { o.Items[0].Quantity = -1 }, "items[0].quantity -1: must not be negative"},
		{"NegativePrice", func(_ *testing.T, o *schema.Order) { o.Items[0].UnitPrice = negative }, "items[0].unit_price -0.01: must not be negative"},
		{"NegativeItemDiscount", func(_ *testing.T, o *schema.Order) { o.Items[0].Discount = negative }, "items[0].discount -0.01: must not be negative"},
		{"NegativeDiscount", func(_ *testing.T, o *schema.Order) { o.Discount = negative }, "discount -0.01: must not be negative"},
		{"NegativeAmount", func(_ *testing.T, o *schema.Order) { o.Items, o.Amount = nil, &negative }, "amount -0.01: must not be negative"},
		{"ItemsAndAmount", func(_ *testing.T, o *schema.Order) { o.Amount = &schema.Money{} }, "amount must not be given beside items"},
		{"NeitherItemsNorAmount", func(_ *testing.T, o *schema.Order) { o.Items = nil }, "items or amount must be given"},
		{"TooManyItems", func(t *testing.T, o *schema.Order) { o.Items = orderOfItems(t, 101).Items }, "items (101 items): may be at most 100"},
		{"CurrencyOfTwo", func(_ *testing.T, o *schema.Order) { o.Currency = "US" }, `currency "US": must be a three-letter ISO 4217 code in upper case like USD`},
		{"CurrencyInLowerCase", func(_ *testing.T, o *schema.Order) { o.Currency = "usd" }, `currency "usd"`},
		{"NoCurrency", func(_ *testing.T, o *schema.Order) { o.Currency = "" }, "currency"},
		{"NoTime", func(_ *testing.T, o *schema.Order) { o.ConfirmedAt = time.Time{} }, "confirmed_at must be given"},
		{"Future", func(_ *testing.T, o *schema.Order) { o.ConfirmedAt = now.Add(time.Nanosecond) }, "confirmed_at 2024-01-15T19:08:36.089000001Z: must not be later than now, 2024-01-15T19:08:36.089Z"},
		{"CountryOfThree", func(_ *testing.T, o *schema.Order) { o.CustomerCountry = "USA" }, `customer_country "USA": must be a two-letter ISO 3166-1 code like US`},
		{"CountryOfDigits", func(_ *testing.T, o *schema.Order) { o.CustomerCountry = "{1" }, "customer_country"},
		{"CountryOutsideASCII", func(_ *testing.T, o *schema.Order) { o.CustomerCountry = "é" }, "customer_country"},
		{"UnknownAction", func(_ *testing.T, o *schema.Order) { o.Action = "refund" }, `action "refund": is not a configured action; configured are lead, sale`},
		{"CouponWithComma", func(_ *testing.T, o *schema.Order) { o.Coupons = []string{"A", "B,C"} }, `coupons[1] "B,C": may not contain a comma`},
		{"CouponWithLineBreak", func(_ *testing.T, o *schema.Order) { o.Coupons = []string{"A\n"} }, `coupons[0] (2 characters, first bad character '\n' at position 2): may not contain control characters`},
		{"CouponsTooLong", func(_ *testing.T, o *schema.Order) {
			o.Coupons = []string{strings.Repeat("a", 200), strings.Repeat("b", 56)}
		}, "coupons (257 characters): may be at most 256 characters together"},
		{"CustomerStatusWithControlCharacter", func(_ *testing.T, o *schema.Order) { o.CustomerStatus = "New\x00" }, "customer_status"},
		{"AttributeWithC1Control", func(_ *testing.T, o *schema.Order) { o.Attributes = attributes("brand", "a\u0085") }, "attributes.brand (2 characters, first bad character '\\u0085' at position 2): may not contain control characters"},
		{"AttributeNotUTF8", func(_ *testing.T, o *schema.Order) { o.Attributes = attributes("brand", "secret\xff") }, "attributes.brand (7 characters, first bad character '�' at position 7): must be valid UTF-8"},
		{"QueryTooLong", func(_ *testing.T, o *schema.Order) {
			o.Attributes = attributes("description", strings.Repeat("é", 6000))
		}, "may be at most 32768 bytes long"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			order := orderOfItems(t, 2)
			test.change(t, order)
			err := refusal(t, advertiser(), order)
			require.ErrorContains(t, err, test.want)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), click)
		})
	}
}

func attributes(pairs ...string) []schema.Attribute {
	var list []schema.Attribute
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, schema.Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	return list
}

func TestClickIDIsNeverShown(t *testing.T) {
	t.Parallel()
	builder := newBuilder(t, advertiser())
	for _, test := range []struct{ name, id, want string }{
		{"Missing", "", "cjevent must be given; CJ attributes no order without a click id"},
		{"WithDash", "b7f2a9d4-c1e8", "cjevent (13 characters, first bad character '-' at position 9): must be 1 to 64 letters and digits, passed on as CJ issued it"},
		{"TooLong", strings.Repeat("b7f2", 17), "cjevent (68 characters): must be 1 to 64 letters and digits, passed on as CJ issued it"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := builder.Build(simpleOrder(t), test.id, now)
			require.EqualError(t, fieldError(t, err), test.want)
		})
	}
}

func TestAttributeNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"CID", "TYPE", "METHOD", "CJEVENT", "EVENTTIME", "eventTime", "OID", "CURRENCY", "AMOUNT", "DISCOUNT", "COUPON", "CUST_STATUS",
		"customerStatus", "customerCountry", "CUST_COUNTRY", "SIGNATURE", "ITEM1", "AMT1", "QTY100", "DCNT007", "item999999999999999",
	} {
		for _, name := range []string{name, strings.ToLower(name), strings.ToUpper(name)} {
			t.Run("Reserved/"+name, func(t *testing.T) {
				t.Parallel()
				order := simpleOrder(t)
				order.Attributes = attributes(name, "jane@example.com\x00")
				err := refusal(t, advertiser(), order)
				require.EqualError(t, err, `attributes "`+name+`": is a parameter that the order's own fields fill; leave it out or give it another name in attribute_names`)
				order.Attributes = attributes(name, "")
				require.Equal(t, err, refusal(t, advertiser(), order), "a reserved name is a mistake even without a value")
				a := advertiser()
				a.AttributeNames = map[string]string{"brand": name}
				_, setUp := postback.NewBuilder(a)
				require.Equal(t, "attribute_names.brand", fieldError(t, setUp).Field)
			})
		}
	}
	for _, name := range []string{"itemId", "itemName", "quantity", "item", "amt", "discounts", "couponType", "METHOD1", "1ITEM", "custom.stats", "a-b_c"} {
		t.Run("Free/"+name, func(t *testing.T) {
			t.Parallel()
			order := simpleOrder(t)
			order.Attributes = attributes(name, "x")
			require.True(t, strings.HasSuffix(build(t, advertiser(), order).Raw(), "&"+name+"=x"))
		})
	}
	for _, test := range []struct {
		name       string
		names      map[string]string
		attributes []schema.Attribute
		want       string
	}{
		{"Empty", nil, attributes("", "x"), `attributes "": must not be an empty name`},
		{"TooLong", nil, attributes(strings.Repeat("n", 65), "x"), "may be at most 64 characters long"},
		{"Blank", nil, attributes("bus unit", "x"), "may have only the characters A-Z a-z 0-9 _ . - as a parameter name"},
		{"Ampersand", nil, attributes("a&OID", "x"), "may have only the characters"},
		{"Equals", nil, attributes("OID=", "x"), "may have only the characters"},
		{"KelvinSign", nil, attributes("\u212aey", "x"), "may have only the characters"},
		{"Repeated", nil, attributes("brand", "x", "BRAND", "y"), "attributes.BRAND goes out as BRAND, and so does attributes.brand"},
		{"RepeatedWithoutValue", nil, attributes("brand", "", "brand", "y"), "attributes.brand goes out as brand, and so does attributes.brand"},
		{"RepeatedByTheMap", map[string]string{"businessUnit": "bus_unit"}, attributes("BUS_UNIT", "x", "businessUnit", "y"), "attributes.businessUnit goes out as bus_unit, and so does attributes.BUS_UNIT"},
		{"BothMappedToOne", map[string]string{"a": "c", "b": "C"}, attributes("a", "x", "b", "y"), "attributes.b goes out as C, and so does attributes.a"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, order := advertiser(), simpleOrder(t)
			a.AttributeNames, order.Attributes = test.names, test.attributes
			require.ErrorContains(t, refusal(t, a, order), test.want)
		})
	}
}
