package schema

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGuardRefusesListsOfValuesWithoutBytes(t *testing.T) {
	t.Parallel()
	// 200 kB of blocks of these gave goavro 10^8 elements, 9.6 GB and 17 s.
	for name, items := range map[string]string{
		"Null":          `"null"`,
		"EmptyRecord":   `{"type":"record","name":"E","fields":[]}`,
		"RecordOfNulls": `{"type":"record","name":"E","fields":[{"name":"a","type":"null"},{"name":"b","type":{"type":"record","name":"F","fields":[]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseAvro(recordOf("x", `{"type":"array","items":`+items+`}`))
			require.ErrorContains(t, err, "array of values that take no bytes")
		})
	}
	for name, items := range map[string]string{"Union": `["null"]`, "Map": `{"type":"map","values":"null"}`, "Enum": `{"type":"enum","name":"E","symbols":["A"]}`} {
		t.Run(name+"TakesAByte", func(t *testing.T) {
			t.Parallel()
			_, err := compileAvro(recordOf("x", `{"type":"array","items":`+items+`}`))
			require.NoError(t, err)
		})
	}
}

func TestGuardRefusesTypesThatMultiply(t *testing.T) {
	t.Parallel()
	// Ten fields each, nine levels: a record without one byte that has 10^9 values.
	types := `{"type":"record","name":"L0","fields":[{"name":"n","type":"null"}]}`
	for level := 1; level < 9; level++ {
		fields := fmt.Sprintf(`{"name":"f0","type":%s}`, types)
		for i := 1; i < 10; i++ {
			fields += fmt.Sprintf(`,{"name":"f%d","type":"L%d"}`, i, level-1)
		}
		types = fmt.Sprintf(`{"type":"record","name":"L%d","fields":[%s]}`, level, fields)
	}
	_, err := parseAvro(types)
	require.ErrorContains(t, err, "more than 10000 values")
}

func TestGuardRefusesRecursiveSchemas(t *testing.T) {
	t.Parallel()
	for name, schema := range map[string]string{
		"Directly":        recordOf("next", `["null","R"]`),
		"ByFullName":      `{"type":"record","name":"R","namespace":"a.b","fields":[{"name":"next","type":["null","a.b.R"]}]}`,
		"ThroughAList":    recordOf("children", `{"type":"array","items":"R"}`),
		"ThroughAMap":     recordOf("children", `{"type":"map","values":"R"}`),
		"ThroughAnother":  recordOf("x", `{"type":"record","name":"S","fields":[{"name":"y","type":["null","R"]}]}`),
		"AcrossNamespace": `{"type":"record","name":"R","fields":[{"name":"x","type":{"type":"record","name":"q.S","fields":[{"name":"y","type":["null","R"]}]}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseAvro(schema)
			require.ErrorContains(t, err, "contains itself")
		})
	}
}

func TestGuardRefusesDeepSchemas(t *testing.T) {
	t.Parallel()
	nested := func(depth int) string {
		return strings.Repeat(`{"type":"array","items":`, depth-1) + `"int"` + strings.Repeat(`}`, depth-1)
	}
	_, err := compileAvro(nested(maxAvroDepth))
	require.NoError(t, err)
	_, err = parseAvro(nested(maxAvroDepth + 1))
	require.EqualError(t, err, "types nested deeper than 32")
	// goavro took 1.8 s and 3.1 GB for this one.
	_, err = parseAvro(nested(9000))
	require.Error(t, err)

	// A name is as deep as what it stands for.
	deep := `{"type":"record","name":"Outer","fields":[{"name":"a","type":{"type":"record","name":"D","fields":[{"name":"x","type":` +
		nested(20) + `}]}},{"name":"b","type":` + strings.Replace(nested(20), `"int"`, `"D"`, 1) + `}]}`
	_, err = parseAvro(deep)
	require.ErrorContains(t, err, "types nested deeper than 32")
}

func TestGuardIgnoresValidatedString(t *testing.T) {
	t.Parallel()
	schema := recordOf("order_id", `{"type":"string","logicalType":"validated-string","pattern":7}`)
	_, err := newCodec(schema)
	require.ErrorContains(t, err, "goavro cannot read the schema", "goavro panics")
	_, err = compileAvro(schema)
	require.NoError(t, err)

	// goavro writes to a map without a lock for each of these; with -race this fails without ours.
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			_, _ = newCodec(recordOf("order_id", fmt.Sprintf(`{"type":"string","logicalType":"validated-string","pattern":"^%d"}`, i)))
		})
	}
	group.Wait()
}

func TestGuardIgnoresDefaultsThatFitNoBranch(t *testing.T) {
	t.Parallel()
	schema := `{"type":"record","name":"R","fields":[{"name":"session_id","type":["string","null"],"default":null},{"name":"n","type":"int","default":"x"}]}`
	_, err := newCodec(schema)
	require.Error(t, err)
	_, err = compileAvro(schema)
	require.NoError(t, err)
}

func TestGuardDefinesATypeOnceForGoavro(t *testing.T) {
	t.Parallel()
	root, err := parseAvro(`{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"enum","name":"E","symbols":["A"]}},{"name":"b","type":["null","E"]}]}`)
	require.NoError(t, err)
	require.JSONEq(t, `{"type":"record","name":"type0","fields":[{"name":"a","type":{"type":"enum","name":"type1","symbols":["A"]}},{"name":"b","type":["null","type1"]}]}`,
		string(root.appendPlain(nil, map[string]bool{})))
}

func TestGuardTakesNamesThatGoavroMistakes(t *testing.T) {
	t.Parallel()
	schema := `{"type":"record","name":"array","namespace":"map","fields":[{"name":"coupons","type":{"type":"array","items":{"type":"enum","name":"fixed","symbols":["A","B"]}}},` +
		`{"name":"action","type":["null","fixed",{"type":"record","name":"decimal","fields":[]}]}]}`
	compiled, err := compileAvro(schema)
	require.NoError(t, err)
	native, err := compiled.decode([]byte{4, 2, 0, 0, 2, 0})
	require.NoError(t, err)
	o := &Order{}
	require.NoError(t, avroFields(native, compiled.root, o.readAvro))
	require.Equal(t, []string{"B", "A"}, o.Coupons)
	require.Equal(t, "A", o.Action)
}

func TestGuardRefusesSchemas(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ schema, text string }{
		"NoJSON":              {`{"type":`, "not JSON"},
		"ARepeatedName":       {`{"type":"int","type":"long"}`, "a name repeats"},
		"ANumber":             {`7`, "a type must be"},
		"NoType":              {`{"name":"x"}`, "must have a type"},
		"AnUnknownType":       {recordOf("x", `"com.other.Type"`), `R.x: unknown type "com.other.Type"; schema references are not supported`},
		"NoFields":            {`{"type":"record","name":"R"}`, "without fields"},
		"NoRecordName":        {`{"type":"record","fields":[]}`, "without a name"},
		"AFieldWithoutType":   {`{"type":"record","name":"R","fields":[{"name":"a"}]}`, "every field must have a type"},
		"AFieldTwice":         {`{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}`, "a name of its own"},
		"AFieldThatIsNone":    {`{"type":"record","name":"R","fields":["a"]}`, "every field must have a type"},
		"ATypeTwice":          {recordOf("x", `{"type":"enum","name":"R","symbols":["A"]}`), "defined twice"},
		"AnEmptyUnion":        {recordOf("x", `[]`), "must have members"},
		"AUnionInAUnion":      {recordOf("x", `["null",["int"]]`), "a union or one type twice"},
		"ATypeTwiceInAUnion":  {recordOf("x", `["int",{"type":"int"}]`), "a union or one type twice"},
		"AnArrayWithoutItems": {recordOf("x", `{"type":"array"}`), "array without items"},
		"AMapWithoutValues":   {recordOf("x", `{"type":"map"}`), "map without values"},
		"AnEnumWithoutSymbol": {recordOf("x", `{"type":"enum","name":"E","symbols":[]}`), "without symbols"},
		"AnIllegalSymbol":     {recordOf("x", `{"type":"enum","name":"E","symbols":["a b"]}`), "goavro cannot read the schema"},
		"AnIllegalFieldName":  {recordOf("a b", `"int"`), "goavro cannot read the schema"},
		"AFixedOfNothing":     {recordOf("x", `{"type":"fixed","name":"F","size":0}`), "from 1 to"},
		"AFixedOfGigabytes":   {recordOf("x", `{"type":"fixed","name":"F","size":1e10}`), "from 1 to"},
		"AFractionalFixed":    {recordOf("x", `{"type":"fixed","name":"F","size":1.5}`), "from 1 to"},
		"AHugeText":           {strings.Repeat(" ", maxAvroSchema) + `"int"`, "must be at most"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := compileAvro(test.schema)
			require.ErrorContains(t, err, test.text)
		})
	}
}

func TestGuardTakesTwoDecimalsWithoutScale(t *testing.T) {
	t.Parallel()
	decimals := `{"type":"record","name":"R","fields":[{"name":"order_id","type":"string"},{"name":"confirmed_at","type":"string"},{"name":"currency","type":"string"},` +
		`{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9}},{"name":"discount","type":{"type":"bytes","logicalType":"decimal","precision":9}}]}`
	_, err := newCodec(decimals)
	require.ErrorContains(t, err, "goavro cannot read the schema: interface conversion", "goavro panics on a legal schema")

	datum := append(append(varints(2), "o1"...), append(varints(20), "2026-03-27T11:02:07Z"...)...)
	datum = append(append(datum, append(varints(3), "JPY"...)...), 2, 100, 2, 7)
	read, err := decodeOrder(t, framed(datum...), decimals)
	require.NoError(t, err)
	require.Equal(t, "100.00", read.Amount.String())
	require.Equal(t, "7.00", read.Discount.String())
}

func TestGuardTakesDecimalsOfUnlikeScales(t *testing.T) {
	t.Parallel()
	schema := `{"type":"record","name":"R","fields":[{"name":"order_id","type":"string"},{"name":"confirmed_at","type":"string"},{"name":"currency","type":"string"},` +
		`{"name":"amount","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},` +
		`{"name":"discount","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":3},{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":4,"scale":1}]}]}`
	head := append(append(varints(2), "o1"...), append(varints(20), "2026-03-27T11:02:07Z"...)...)
	head = append(append(head, append(varints(3), "USD"...)...), 4, 0x03, 0xe8)
	for discount, tail := range map[string][]byte{"0.00": {0}, "0.005": {2, 2, 5}, "0.50": {4, 0, 5}} {
		read, err := decodeOrder(t, framed(append(bytes.Clone(head), tail...)...), schema)
		require.NoError(t, err)
		require.Equal(t, "10.00", read.Amount.String())
		require.Equal(t, discount, read.Discount.String())
	}
}
