package schema

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// avroWith is an order schema whose field has the given type, and the value of an order with that datum.
func avroWith(field, of string, datum ...byte) (schema string, value []byte) {
	fields := []string{`{"name":"order_id","type":"string"}`, `{"name":"confirmed_at","type":"string"}`, `{"name":"currency","type":"string"}`, `{"name":"amount","type":"string"}`}
	data := [][]byte{
		append(varints(2), "o1"...), append(varints(20), "2026-03-27T11:02:07Z"...), append(varints(3), "USD"...), append(varints(2), "10"...),
	}
	replaced := false
	own := `{"name":"` + field + `","type":` + of + `}`
	for i := range fields {
		if strings.HasPrefix(fields[i], `{"name":"`+field+`"`) {
			fields[i], data[i], replaced = own, datum, true
		}
	}
	if !replaced {
		fields, data = append(fields, own), append(data, datum)
	}
	return `{"type":"record","name":"Order","namespace":"com.shop","fields":[` + strings.Join(fields, ",") + `]}`, framed(bytes.Join(data, nil)...)
}

const decimal2 = `{"type":"bytes","logicalType":"decimal","precision":20,"scale":2}`

func double(value float64) []byte {
	return binary.LittleEndian.AppendUint64(nil, math.Float64bits(value))
}

func TestAvroMoney(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		of    string
		datum []byte
		want  string
	}{
		"ADecimalInBytes":         {decimal2, []byte{4, 0x08, 0xfb}, "22.99"},
		"ADecimalWithLeadingZero": {decimal2, []byte{6, 0, 0x80, 0}, "327.68"},
		"ADecimalOfNineBytes":     {`{"type":"bytes","logicalType":"decimal","precision":38,"scale":18}`, append([]byte{18}, 0x01, 0, 0, 0, 0, 0, 0, 0, 0), "18.446744073709551616"},
		"ADecimalOfScale30":       {`{"type":"bytes","logicalType":"decimal","precision":38,"scale":30}`, append([]byte{26}, 0x0c, 0x9f, 0x2c, 0x9c, 0xd0, 0x46, 0x74, 0xed, 0xea, 0x40, 0, 0, 0), "1.00"},
		"ADecimalInAFixed":        {`{"type":"fixed","name":"F","size":4,"logicalType":"decimal","precision":9,"scale":3}`, []byte{0, 0, 0x59, 0xce}, "22.99"},
		"AString":                 {`"string"`, append(varints(5), "22.99"...), "22.99"},
		"AnInt":                   {`"int"`, varints(22), "22.00"},
		"ALong":                   {`"long"`, varints(1e17), "100000000000000000.00"},
		"ANullableDecimal":        {`["null",` + decimal2 + `]`, []byte{2, 4, 0x08, 0xfb}, "22.99"},
		"AnOptionalAtTheEnd":      {`[` + decimal2 + `,"null"]`, []byte{0, 4, 0x08, 0xfb}, "22.99"},
		"OneOfManyTypes":          {`["null","double","long","string",` + decimal2 + `]`, append(varints(3, 5), "22.99"...), "22.99"},
		"ATypeInsideAType":        {`{"type":` + decimal2 + `}`, []byte{2, 1}, "0.01"},
	} {
		t.Run("Takes"+name, func(t *testing.T) {
			t.Parallel()
			schema, value := avroWith("amount", test.of, test.datum...)
			read, err := decodeOrder(t, value, schema)
			require.NoError(t, err)
			require.Equal(t, test.want, read.Amount.String())
		})
	}

	long := append([]byte{34}, make([]byte, 17)...)
	for name, test := range map[string]struct {
		of    string
		datum []byte
		text  string
	}{
		"ADouble":                {`"double"`, double(22.99), "must not be Avro double, which cannot hold cents exactly; use bytes with logicalType decimal, or a string"},
		"ADoubleThatIsNone":      {`"double"`, double(math.NaN()), "must not be Avro double"},
		"ADoubleOfZero":          {`["null","double"]`, append([]byte{2}, double(0)...), "must not be Avro double"},
		"AFloat":                 {`"float"`, make([]byte, 4), "must not be Avro float"},
		"PlainBytes":             {`"bytes"`, []byte{2, 1}, "not bytes; logicalType, precision and scale belong inside the type"},
		"APlainFixed":            {`{"type":"fixed","name":"F","size":1}`, []byte{1}, "not fixed"},
		"ADecimalOfNoPrecision":  {`{"type":"bytes","logicalType":"decimal","scale":2}`, []byte{2, 1}, "not bytes"},
		"AScaleBeyondPrecision":  {`{"type":"bytes","logicalType":"decimal","precision":1,"scale":2}`, []byte{2, 1}, "not bytes"},
		"AScaleAsText":           {`{"type":"bytes","logicalType":"decimal","precision":9,"scale":"2"}`, []byte{2, 1}, "not bytes"},
		"ANegativeDecimal":       {decimal2, []byte{2, 0xff}, "must not be negative"},
		"ADecimalWithoutBytes":   {decimal2, []byte{0}, "without any bytes"},
		"ADecimalOf17Bytes":      {decimal2, long, "is a decimal of 17 bytes: must be at most 16"},
		"ADecimalOf39Digits":     {decimal2, append([]byte{32, 0x7f}, make([]byte, 15)...), "at most 18 digits"},
		"ADecimalOf19Digits":     {`{"type":"bytes","logicalType":"decimal","precision":19}`, append([]byte{16, 0x7f}, make([]byte, 7)...), "at most 18 digits"},
		"ADecimalOfScale1e9":     {`{"type":"bytes","logicalType":"decimal","precision":2000000000,"scale":1000000000}`, []byte{2, 1}, "at most 18 digits"},
		"ANegativeLong":          {`"long"`, varints(-1), "-1: must not be negative"},
		"AHugeLong":              {`"long"`, varints(math.MaxInt64), "at most 18 digits"},
		"ATimestamp":             {`{"type":"long","logicalType":"timestamp-millis"}`, varints(5), "not long timestamp-millis"},
		"AStringWithSeparator":   {`"string"`, append(varints(8), "1,000.00"...), `"1,000.00": must be a decimal`},
		"ABoolean":               {`"boolean"`, []byte{1}, "not boolean"},
		"ARecord":                {`{"type":"record","name":"M","fields":[]}`, nil, "not record"},
		"ALogicalTypeBesideType": {`"bytes","logicalType":"decimal","precision":20,"scale":2`, []byte{2, 1}, "not bytes"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			schema, value := avroWith("amount", test.of, test.datum...)
			_, err := decodeOrder(t, value, schema)
			requireInvalid(t, err, ReasonInvalidOrder, "amount", test.text)
		})
	}

	t.Run("RefusesAMegabyteOfDigitsAtOnce", func(t *testing.T) {
		t.Parallel()
		schema, value := avroWith("amount", decimal2, append(varints(1<<19), bytes.Repeat([]byte{0x7f}, 1<<19)...)...)
		_, err := decodeOrder(t, value, schema)
		requireInvalid(t, err, ReasonInvalidOrder, "amount", "is a decimal of 524288 bytes")
	})

	t.Run("NamesTheItemOfADouble", func(t *testing.T) {
		t.Parallel()
		schema := `{"type":"record","name":"R","fields":[{"name":"items","type":{"type":"array","items":{"type":"record","name":"I","fields":[` +
			`{"name":"unit_price","type":["null","double"]}]}}}]}`
		_, err := decodeOrder(t, framed(append([]byte{4, 0, 2}, append(double(1), 0)...)...), schema)
		requireInvalid(t, err, ReasonInvalidOrder, "items[0].unit_price", "is required")
		_, err = decodeOrder(t, framed(append([]byte{2, 2}, append(double(1), 0)...)...), schema)
		requireInvalid(t, err, ReasonInvalidOrder, "items[0].unit_price", "must not be Avro double")
	})
}

func TestAvroInstant(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 3, 27, 11, 2, 7, 123456789, time.UTC)
	long := func(logical string) string { return `{"type":"long","logicalType":"` + logical + `"}` }
	for name, test := range map[string]struct {
		of    string
		datum []byte
		want  time.Time
	}{
		"Milliseconds":   {long("timestamp-millis"), varints(at.UnixMilli()), at.Truncate(time.Millisecond)},
		"Microseconds":   {long("timestamp-micros"), varints(at.UnixMicro()), at.Truncate(time.Microsecond)},
		"Nanoseconds":    {long("timestamp-nanos"), varints(at.UnixNano()), at},
		"RFC3339":        {`"string"`, append(varints(25), "2026-03-27T13:02:07+02:00"...), at.Truncate(time.Second)},
		"ANullableValue": {`["null",` + long("timestamp-millis") + `]`, append([]byte{2}, varints(at.UnixMilli())...), at.Truncate(time.Millisecond)},
	} {
		t.Run("Takes"+name, func(t *testing.T) {
			t.Parallel()
			schema, value := avroWith("confirmed_at", test.of, test.datum...)
			read, err := decodeOrder(t, value, schema)
			require.NoError(t, err)
			require.Equal(t, test.want, read.ConfirmedAt)
			require.Equal(t, time.UTC, read.ConfirmedAt.Location())
		})
	}

	for name, test := range map[string]struct {
		of    string
		datum []byte
		text  string
	}{
		"ABareLong":            {`"long"`, varints(at.UnixMilli()), "must not be a bare Avro long, whose unit nobody knows"},
		"ALocalTime":           {long("local-timestamp-millis"), varints(at.UnixMilli()), "must not be a bare Avro long"},
		"AnInt":                {`"int"`, varints(5), "not Avro int"},
		"AnUnsetField":         {long("timestamp-millis"), varints(0), "0: must not be before 2000-01-01"},
		"MicrosAsMillis":       {long("timestamp-millis"), varints(at.UnixMicro()), "must not be after the year 9999"},
		"MillisAsMicros":       {long("timestamp-micros"), varints(at.UnixMilli()), "must not be before 2000-01-01"},
		"TheEndOfTime":         {long("timestamp-millis"), varints(math.MaxInt64), "must not be after the year 9999"},
		"TheBeginningOfTime":   {long("timestamp-micros"), varints(math.MinInt64), "must not be before 2000-01-01"},
		"Null":                 {`"null"`, nil, "is required"},
		"AnEmptyString":        {`"string"`, []byte{0}, "is required"},
		"AStringWithoutAZone":  {`"string"`, append(varints(19), "2026-03-27T13:02:07"...), "must be RFC 3339 with a zone"},
		"ALogicalTypeOutside":  {`"long","logicalType":"timestamp-millis"`, varints(at.UnixMilli()), "must not be a bare Avro long"},
		"ALogicalTypeOnString": {`{"type":"string","logicalType":"timestamp-millis"}`, append(varints(1), "5"...), "must be RFC 3339"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			schema, value := avroWith("confirmed_at", test.of, test.datum...)
			_, err := decodeOrder(t, value, schema)
			requireInvalid(t, err, ReasonInvalidOrder, "confirmed_at", test.text)
		})
	}
}

func TestAvroFields(t *testing.T) {
	t.Parallel()

	decode := func(t *testing.T, field, of string, datum ...byte) (*Order, error) {
		t.Helper()
		schema, value := avroWith(field, of, datum...)
		return decodeOrder(t, value, schema)
	}

	t.Run("TakesAnEnumForText", func(t *testing.T) {
		t.Parallel()
		read, err := decode(t, "customer_status", `["null",{"type":"enum","name":"Status","symbols":["NEW","RETURN"]}]`, 2, 2)
		require.NoError(t, err)
		require.Equal(t, "Return", read.CustomerStatus)
	})

	t.Run("TakesNullsForAbsent", func(t *testing.T) {
		t.Parallel()
		for _, field := range []string{"session_id", "discount", "items", "coupons", "customer_status", "customer_country", "action", "cjevent", "consent", "attributes"} {
			read, err := decode(t, field, `"null"`)
			require.NoError(t, err, field)
			require.Nil(t, read.Items)
		}
	})

	t.Run("IgnoresUnknownFields", func(t *testing.T) {
		t.Parallel()
		_, err := decode(t, "shipping", `{"type":"record","name":"S","fields":[{"name":"order_id","type":"bytes"}]}`, 2, 0xff)
		require.NoError(t, err)
	})

	t.Run("ReadsTheRecordInsideAUnion", func(t *testing.T) {
		t.Parallel()
		schema, value := avroWith("action", `"string"`, append(varints(4), "lead"...)...)
		value = append(framed(2), value[wireHeader:]...)
		read, err := decodeOrder(t, value, `["null",`+schema+`]`)
		require.NoError(t, err)
		require.Equal(t, "lead", read.Action)
		_, err = decodeOrder(t, framed(0), `["null",`+schema+`]`)
		requireInvalid(t, err, ReasonMalformed, "", "no Avro record")
	})

	t.Run("RefusesWhatIsNoRecord", func(t *testing.T) {
		t.Parallel()
		_, err := decodeOrder(t, framed(2, 'x'), `"string"`)
		requireInvalid(t, err, ReasonMalformed, "", "the value is no Avro record")
	})

	t.Run("TakesAttributesThatLoseNothing", func(t *testing.T) {
		t.Parallel()
		read, err := decode(t, "attributes", `{"type":"map","values":["null","string","boolean","int","long"]}`,
			12, 2, 'b', 2, 2, 'x', 2, 'a', 4, 1, 2, 'c', 6, 9, 2, 'd', 8, 8, 2, 'e', 0, 2, 'f', 2, 0, 0)
		require.NoError(t, err)
		require.Equal(t, []Attribute{{"a", "true"}, {"b", "x"}, {"c", "-5"}, {"d", "4"}}, read.Attributes)
	})

	t.Run("TakesQuantitiesOfAnyWidth", func(t *testing.T) {
		t.Parallel()
		for _, of := range []string{"int", "long"} {
			items := `{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"sku","type":"string"},{"name":"unit_price","type":"int"},{"name":"quantity","type":"` + of + `"}]}}`
			schema := `{"type":"record","name":"R","fields":[{"name":"order_id","type":"string"},{"name":"confirmed_at","type":"string"},{"name":"currency","type":"string"},{"name":"items","type":` + items + `}]}`
			_, value := avroWith("amount", `"null"`, append(append([]byte{2, 2, 'A', 2}, varints(maxQuantity)...), 0)...)
			read, err := decodeOrder(t, value, schema)
			require.NoError(t, err)
			require.Equal(t, []Item{{SKU: "A", UnitPrice: money(t, "1"), Quantity: maxQuantity}}, read.Items)

			_, value = avroWith("amount", `"null"`, 2, 2, 'A', 2, 1, 0)
			_, err = decodeOrder(t, value, schema)
			requireInvalid(t, err, ReasonInvalidOrder, "items[0].quantity", "-1: must be a whole number from 0 to 2147483647")
		}
	})

	record := func(field, of string) string { return `{"type":"array","items":` + recordOf(field, of) + `}` }
	for name, test := range map[string]struct {
		field, of string
		datum     []byte
		at, text  string
	}{
		"ALongOrderID":          {"order_id", `"long"`, varints(7), "order_id", "must be a string, not Avro long"},
		"TextThatIsNotUTF8":     {"session_id", `"string"`, []byte{4, 'a', 0xff}, "session_id", "(2 characters): must be UTF-8"},
		"BytesForText":          {"action", `"bytes"`, []byte{2, 'a'}, "action", "not Avro bytes"},
		"AnAttributeNameBroken": {"attributes", `{"type":"map","values":"string"}`, []byte{2, 2, 0xff, 2, 'a', 0}, "attributes", "must be UTF-8"},
		"AnAttributeBroken":     {"attributes", `{"type":"map","values":"string"}`, []byte{2, 2, 'a', 2, 0xff, 0}, `attributes["a"]`, "must be UTF-8"},
		"ADoubleAttribute":      {"attributes", `{"type":"map","values":"double"}`, append(append([]byte{2, 2, 'a'}, double(1)...), 0), `attributes["a"]`, "a number with a fraction goes as a string"},
		"ATimestampAttribute":   {"attributes", `{"type":"map","values":{"type":"long","logicalType":"timestamp-millis"}}`, []byte{2, 2, 'a', 2, 0}, `attributes["a"]`, "not Avro long timestamp-millis"},
		"AttributesAsArray":     {"attributes", `{"type":"array","items":"string"}`, []byte{0}, "attributes", "must be a map of strings, not Avro array"},
		"AttributesInTwoCases":  {"attributes", `{"type":"map","values":"string"}`, []byte{4, 2, 'a', 2, 'x', 2, 'A', 2, 'x', 0}, `attributes["a"]`, "repeats"},
		"CouponsAsText":         {"coupons", `"string"`, []byte{2, 'A'}, "coupons", "must be an array of strings, not Avro string"},
		"ACouponAsNumber":       {"coupons", `{"type":"array","items":["string","int"]}`, []byte{4, 0, 2, 'A', 2, 2, 0}, "coupons[1]", "not Avro int"},
		"ConsentAsText":         {"consent", `"string"`, []byte{2, 'n'}, "consent", "must be a boolean, not Avro string"},
		"ItemsAsRecord":         {"items", recordOf("sku", `"string"`), []byte{2, 'A'}, "items", "must be an array of records, not Avro record"},
		"AnItemAsText":          {"items", `{"type":"array","items":"string"}`, []byte{2, 2, 'A', 0}, "items[0]", "must be a record"},
		"ANullItem":             {"items", `{"type":"array","items":["null",` + recordOf("sku", `"string"`) + `]}`, []byte{2, 0, 0}, "items[0]", "must be a record"},
		"ADoubleQuantity":       {"items", record("quantity", `"double"`), append(append([]byte{2}, double(1)...), 0), "items[0].quantity", "must be an int or a long, not Avro double"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			_, err := decode(t, test.field, test.of, test.datum...)
			requireInvalid(t, err, ReasonInvalidOrder, test.at, test.text)
		})
	}
}

func TestEncodeOrder(t *testing.T) {
	t.Parallel()

	t.Run("RefusesAmountsThatDoNotFit", func(t *testing.T) {
		t.Parallel()
		for _, text := range []string{"0.00001", "100000000000000"} {
			o := order(t)
			o.Items[1].UnitPrice = money(t, text)
			_, err := EncodeOrder(1, o)
			require.ErrorContains(t, err, "does not fit decimal(18,4)")
		}
		o := order(t)
		o.Items[1].UnitPrice = money(t, "99999999999999.9999")
		_, err := EncodeOrder(1, o)
		require.NoError(t, err)
	})

	t.Run("CutsTimesToTheMillisecond", func(t *testing.T) {
		t.Parallel()
		o := order(t)
		o.ConfirmedAt = o.ConfirmedAt.Add(999 * time.Microsecond)
		encoded, err := EncodeOrder(1, o)
		require.NoError(t, err)
		read, err := decodeOrder(t, encoded, OrderConfirmedSchema)
		require.NoError(t, err)
		require.Equal(t, order(t), read)
	})
}

func TestWireFormat(t *testing.T) {
	t.Parallel()

	for name, test := range map[string]struct {
		value []byte
		text  string
	}{
		"TooShort":       {[]byte{0, 0, 0, 1}, "value of 4 bytes is too short for Confluent's wire format"},
		"JSON":           {[]byte(orderJSON), "it looks like JSON, is the format avro right?"},
		"AnotherMagic":   {[]byte{1, 0, 0, 0, 1, 2}, "starts with byte 0x01, not with 0x00"},
		"NoDatumAtAll":   {framed(), "order_id ends early"},
		"AnEmptyValue":   {[]byte{}, "value is empty"},
		"TooManyForThis": {append(framed(), make([]byte, MaxBytesDefault)...), "must be at most 1048576"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeOrder(t, test.value, OrderConfirmedSchema)
			requireInvalid(t, err, ReasonMalformed, "", test.text)
		})
	}
}

func TestNewOrderDecoder(t *testing.T) {
	t.Parallel()
	_, err := NewOrderDecoder("string", nil)
	require.EqualError(t, err, `order format "string": must be "avro" or "json"`)
	_, err = NewOrderDecoder(FormatAvro, nil)
	require.EqualError(t, err, `format "avro": needs a schema registry`)
}
