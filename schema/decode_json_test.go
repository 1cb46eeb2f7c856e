package schema

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// with is the smallest legal order, with fields added or replaced.
func with(fields ...string) []byte {
	order := []string{`"order_id":"o1"`, `"confirmed_at":"2026-03-27T11:02:07Z"`, `"currency":"USD"`, `"amount":"10"`}
	for _, field := range fields {
		name, _, _ := strings.Cut(field, ":")
		replaced := false
		for i := range order {
			if strings.HasPrefix(order[i], name+":") {
				order[i], replaced = field, true
			}
		}
		if !replaced {
			order = append(order, field)
		}
	}
	return []byte("{" + strings.Join(order, ",") + "}")
}

// withItems is an order of items instead of an amount.
func withItems(items string, fields ...string) []byte {
	return with(append([]string{`"amount":null`, `"items":` + items}, fields...)...)
}

func TestDecodeOrderJSON(t *testing.T) {
	t.Parallel()

	t.Run("ReadsTheCanonicalForm", func(t *testing.T) {
		t.Parallel()
		read, err := decodeOrder(t, []byte(orderJSON))
		require.NoError(t, err)
		require.Equal(t, order(t), read)
	})

	t.Run("NormalisesWhatMayVary", func(t *testing.T) {
		t.Parallel()
		read, err := decodeOrder(t, with(`"currency":"eur"`, `"confirmed_at":"2026-03-27T23:30:00.5-07:00"`, `"customer_status":"lAPSED"`,
			`"attributes":{"zip":"1","age":1.50,"big":1e400,"vip":true,"gone":null,"none":""}`, `"coupons":["A","",null,"B"]`,
			`"consent":false`, `"amount":1.0e1`, `"items":[]`, `"session_id":""`, `"cjevent":""`))
		require.NoError(t, err)
		require.Equal(t, "EUR", read.Currency)
		require.Equal(t, time.Date(2026, 3, 28, 6, 30, 0, 5e8, time.UTC), read.ConfirmedAt)
		require.Equal(t, time.UTC, read.ConfirmedAt.Location())
		require.Equal(t, "Lapsed", read.CustomerStatus)
		require.Equal(t, []Attribute{{"age", "1.50"}, {"big", "1e400"}, {"vip", "true"}, {"zip", "1"}}, read.Attributes)
		require.Equal(t, []string{"A", "B"}, read.Coupons)
		require.False(t, *read.Consent)
		require.Equal(t, "10.00", read.Amount.String())
		require.Nil(t, read.Items)
		require.Empty(t, read.CJEvent)
	})

	t.Run("TakesNullForAbsentEverywhere", func(t *testing.T) {
		t.Parallel()
		read, err := decodeOrder(t, with(`"session_id":null`, `"items":null`, `"discount":null`, `"coupons":null`, `"customer_status":null`,
			`"customer_country":null`, `"action":null`, `"cjevent":null`, `"consent":null`, `"attributes":null`))
		require.NoError(t, err)
		bare, err := decodeOrder(t, with())
		require.NoError(t, err)
		require.Equal(t, bare, read)
	})

	t.Run("IgnoresUnknownFieldsAndOtherCases", func(t *testing.T) {
		t.Parallel()
		read, err := decodeOrder(t, with(`"ORDER_ID":7`, `"Discount":"99"`, `"extra":{"order_id":[1,{"a":null}]}`))
		require.NoError(t, err)
		require.Equal(t, "o1", read.ID)
		require.True(t, read.Discount.IsZero())
	})

	t.Run("ReadsEscapesInNamesAndValues", func(t *testing.T) {
		t.Parallel()
		read, err := decodeOrder(t, with(`"\u0073ession_id":"s-\ud83d\ude00\u00e9\/"`, `"attributes":{"a\u0062":"x\ty"}`))
		require.NoError(t, err)
		require.Equal(t, "s-😀é/", read.SessionID)
		require.Equal(t, []Attribute{{"ab", "x\ty"}}, read.Attributes)
	})

	t.Run("TakesWholeQuantitiesInAnyForm", func(t *testing.T) {
		t.Parallel()
		for literal, want := range map[string]int64{
			"2": 2, "2.0": 2, "2e0": 2, "0": 0, "-0": 0, "2.000": 2, "20e-1": 2, "1e3": 1000, "2147483647": 2147483647, "2147483647.0": 2147483647,
		} {
			read, err := decodeOrder(t, withItems(`[{"sku":"A","unit_price":1,"quantity":`+literal+`}]`))
			require.NoError(t, err, literal)
			require.Equal(t, want, read.Items[0].Quantity, literal)
		}
	})

	t.Run("KeepsAnIllegalClickIDForTheJoinToJudge", func(t *testing.T) {
		t.Parallel()
		read, err := decodeOrder(t, with(`"cjevent":"not legal!"`))
		require.NoError(t, err)
		require.Equal(t, "not legal!", read.CJEvent)

		read, err = decodeOrder(t, with(`"cjevent":"`+strings.Repeat("é", 5000)+`"`))
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("é", maxCarriedClickID/2), read.CJEvent)
		require.Error(t, ValidClickID(read.CJEvent))
	})

	t.Run("DoesNotAliasItsInput", func(t *testing.T) {
		t.Parallel()
		value := []byte(orderJSON)
		read, err := decodeOrder(t, value)
		require.NoError(t, err)
		clear(value)
		require.Equal(t, order(t), read)
	})
}

func TestDecodeOrderJSONRefuses(t *testing.T) {
	t.Parallel()

	item := func(fields string) []byte {
		return withItems(`[{"sku":"A","unit_price":"1","quantity":1},{` + fields + `}]`)
	}
	for name, test := range map[string]struct {
		value       []byte
		field, text string
	}{
		"NoOrderID":             {with(`"order_id":null`), "order_id", "is required"},
		"AnEmptyOrderID":        {with(`"order_id":""`), "order_id", "is required"},
		"ANumberAsOrderID":      {with(`"order_id":7`), "order_id", "must be a string, not a number"},
		"NoTime":                {with(`"confirmed_at":null`), "confirmed_at", "is required"},
		"ATimeWithoutZone":      {with(`"confirmed_at":"2026-03-27T11:02:07"`), "confirmed_at", `"2026-03-27T11:02:07": must be RFC 3339 with a zone`},
		"ATimeWithAComma":       {with(`"confirmed_at":"2026-03-27T11:02:07,5Z"`), "confirmed_at", "RFC 3339"},
		"AnHourOfOneDigit":      {with(`"confirmed_at":"2026-03-27T1:02:07Z"`), "confirmed_at", "RFC 3339"},
		"AZoneBeyondADay":       {with(`"confirmed_at":"2026-03-27T11:02:07+24:00"`), "confirmed_at", "RFC 3339"},
		"ATimeAsNumber":         {with(`"confirmed_at":1774609327123`), "confirmed_at", "must be a string, not a number"},
		"AnUnsetEpochTime":      {with(`"confirmed_at":"1970-01-01T00:00:00Z"`), "confirmed_at", "must not be before 2000-01-01"},
		"GosZeroTime":           {with(`"confirmed_at":"0001-01-01T00:00:00Z"`), "confirmed_at", "must not be before 2000-01-01"},
		"AYearBeyond9999":       {with(`"confirmed_at":"9999-12-31T23:59:59-01:00"`), "confirmed_at", "must not be after the year 9999"},
		"NoCurrency":            {with(`"currency":""`), "currency", "is required"},
		"ALongCurrency":         {with(`"currency":"EURO"`), "currency", "ISO 4217"},
		"ACurrencySign":         {with(`"currency":"€"`), "currency", "ISO 4217"},
		"ACurrencyWithDigits":   {with(`"currency":"US1"`), "currency", "ISO 4217"},
		"ACurrencyThatFolds":    {with(`"currency":"uſd"`), "currency", "ISO 4217"},
		"NeitherItemsNorAmount": {with(`"amount":null`), "items", "unless the order has an amount"},
		"NoItemsInTheList":      {withItems(`[]`), "items", "at least one item"},
		"ItemsAndAmount":        {with(`"items":[{"sku":"A","unit_price":1,"quantity":1}]`), "amount", "must not stand beside items"},
		"ItemsThatAreNoList":    {withItems(`{"sku":"A"}`), "items", "must be a list, not an object"},
		"ANullItem":             {withItems(`[null]`), "items[0]", "must be an object, not null"},
		"ATextItem":             {withItems(`["A"]`), "items[0]", "must be an object, not a string"},
		"AnItemWithoutSKU":      {item(`"unit_price":1,"quantity":1`), "items[1].sku", "is required"},
		"AnItemWithoutPrice":    {item(`"sku":"A","quantity":1`), "items[1].unit_price", "is required"},
		"AnItemWithoutUnits":    {item(`"sku":"A","unit_price":1,"quantity":null`), "items[1].quantity", "is required"},
		"AFractionalQuantity":   {item(`"sku":"A","unit_price":1,"quantity":2.5`), "items[1].quantity", "fractional"},
		"ANegativeQuantity":     {item(`"sku":"A","unit_price":1,"quantity":-1`), "items[1].quantity", "must not be negative"},
		"AHugeQuantity":         {item(`"sku":"A","unit_price":1,"quantity":2147483648`), "items[1].quantity", "from 0 to 2147483647"},
		"AHugeDecimalQuantity":  {item(`"sku":"A","unit_price":1,"quantity":2147483648.0`), "items[1].quantity", "from 0 to 2147483647"},
		"AnEndlessQuantity":     {item(`"sku":"A","unit_price":1,"quantity":1e999999999}`), "items[1].quantity", "from 0 to 2147483647"},
		"AQuantityAsText":       {item(`"sku":"A","unit_price":1,"quantity":"2"`), "items[1].quantity", "must be a number, not a string"},
		"ANegativePrice":        {item(`"sku":"A","unit_price":-1,"quantity":1`), "items[1].unit_price", `"-1": must not be negative`},
		"APriceWithSeparator":   {item(`"sku":"A","unit_price":"1,000.00","quantity":1`), "items[1].unit_price", `"1,000.00": must be a decimal like 22.99`},
		"AnEndlessPrice":        {item(`"sku":"A","unit_price":1e999999999,"quantity":1`), "items[1].unit_price", "at most 18 digits"},
		"APriceAsBoolean":       {item(`"sku":"A","unit_price":true,"quantity":1`), "items[1].unit_price", "not a boolean"},
		"AnEmptyItemDiscount":   {item(`"sku":"A","unit_price":1,"quantity":1,"discount":""`), "items[1].discount", "empty string"},
		"ADiscountOnALargerSum": {with(`"discount":"10.01"`), "discount", "10.01: must not exceed the order's 10.00"},
		"ACouponAsNumber":       {with(`"coupons":["A",5]`), "coupons[1]", "must be a string, not a number"},
		"CouponsAsText":         {with(`"coupons":"A,B"`), "coupons", "must be a list, not a string"},
		"AnUnknownStatus":       {with(`"customer_status":"VIP"`), "customer_status", `"VIP": must be New, Return or Lapsed`},
		"AStatusThatFolds":      {with(`"customer_status":"lapſed"`), "customer_status", "must be New, Return or Lapsed"},
		"ConsentAsText":         {with(`"consent":"false"`), "consent", "must be true or false, not a string"},
		"AttributesAsList":      {with(`"attributes":["a"]`), "attributes", "must be an object, not a list"},
		"ANestedAttribute":      {with(`"attributes":{"a":{"b":1}}`), `attributes["a"]`, "not an object"},
		"AnAttributeList":       {with(`"attributes":{"a":["b"]}`), `attributes["a"]`, "not a list"},
		"AttributesInTwoCases":  {with(`"attributes":{"a":"1","b":"2","A":"3"}`), `attributes["a"]`, "repeats"},
		"AnUnnamedAttribute":    {with(`"attributes":{"":"1"}`), "attributes", "empty name"},
		"TooManyItems":          {withItems(`[` + strings.Repeat(`{"sku":"A","unit_price":1,"quantity":1},`, maxElements) + `{}]`), "items", "at most 10000 elements"},
		"TooManyCoupons":        {with(`"coupons":[` + strings.Repeat(`"A",`, maxElements) + `"A"]`), "coupons", "at most 10000 elements"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeOrder(t, test.value)
			requireInvalid(t, err, ReasonInvalidOrder, test.field, test.text)
		})
	}

	for name, test := range map[string]struct {
		value []byte
		text  string
	}{
		"ANullValue":          {nil, "value is null"},
		"AnEmptyValue":        {[]byte{}, "value is empty"},
		"BlanksOnly":          {[]byte(" \n"), "ends early"},
		"ANullLiteral":        {[]byte(" null"), "not a JSON object"},
		"AList":               {[]byte(`[` + orderJSON + `]`), "not a JSON object"},
		"AByteOrderMark":      {append([]byte("\xef\xbb\xbf"), orderJSON...), "not a JSON object"},
		"AvroBytes":           {[]byte{0, 0, 0, 0, 1, 2, 'A'}, "is the format json right?"},
		"HalfAnOrder":         {[]byte(orderJSON)[:100], "ends early"},
		"SomethingBehind":     {append(with(), " x"...), "at byte"},
		"TwoOrders":           {append(with(), with()...), "at byte"},
		"ARepeatedName":       {with(`"action":"a","action":"b"`), "a name repeats"},
		"ARepeatedEscape":     {with(`"action":"a","\u0061ction":"b"`), "a name repeats"},
		"ARepeatedNameInside": {with(`"x":{"a":1,"b":{},"a":1}`), "a name repeats"},
		"InvalidUTF8":         {with("\"action\":\"a\xffb\""), "invalid UTF-8"},
		"InvalidUTF8Outside":  {with("\"x\":[\"a\xc3\"]"), "invalid UTF-8"},
		"LoneSurrogate":       {with(`"action":"\ud800"`), "surrogate"},
		"ALeadingZero":        {with(`"amount":010`), "at byte"},
		"NaN":                 {with(`"amount":NaN`), "at byte"},
		"ATrailingComma":      {with(`"x":[1,]`), "at byte"},
		"TooManyBytes":        {with(`"x":"` + strings.Repeat("x", MaxBytesDefault) + `"`), "must be at most 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeOrder(t, test.value)
			requireInvalid(t, err, ReasonMalformed, "", test.text)
		})
	}
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()

	value := with()
	decode, err := NewOrderDecoder(FormatJSON, nil, MaxBytes(len(value)))
	require.NoError(t, err)
	_, err = decode(t.Context(), value)
	require.NoError(t, err)
	_, err = decode(t.Context(), append(value, ' '))
	requireInvalid(t, err, ReasonMalformed, "", fmt.Sprintf("value of %d bytes: must be at most %d", len(value)+1, len(value)))

	_, err = NewOrderDecoder(FormatJSON, nil, MaxBytes(0))
	require.EqualError(t, err, "decoder's MaxBytes 0: must be positive")
}

func TestErrorsShowNothingPrivate(t *testing.T) {
	t.Parallel()

	for name, value := range map[string][]byte{
		"AFieldValue":    with(`"currency":"jane@example.com"`),
		"AnAttribute":    with(`"attributes":{"mail":["jane@example.com"]}`),
		"AnAttributeKey": with(`"attributes":{"jane@example.com":[]}`),
		"ASyntaxError":   with(`"x":{"jane@example.com":tru}`),
		"ARepeatedName":  with(`"x":{"jane@example.com":1,"jane@example.com":2}`),
		"AnInvalidTime":  with(`"confirmed_at":"jane@example.com"`),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeOrder(t, value)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "jane")
			require.NotContains(t, err.Error(), "example.com")
		})
	}
}
