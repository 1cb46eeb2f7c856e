package schema

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
)

// The tests here are named for what goavro does on its own with each of these inputs: end the process, panic,
// take gigabytes, or give a wrong value without an error.

// recordOf is the schema of a record with one field.
func recordOf(name, of string) string {
	return fmt.Sprintf(`{"type":"record","name":"R","fields":[{"name":%q,"type":%s}]}`, name, of)
}

// framed is a datum in Confluent's wire format with schema id 1.
func framed(datum ...byte) []byte { return append([]byte{0, 0, 0, 0, 1}, datum...) }

// varints encodes numbers as Avro does.
func varints(numbers ...int64) []byte {
	var encoded []byte
	for _, number := range numbers {
		encoded = binary.AppendVarint(encoded, number)
	}
	return encoded
}

// allocated returns how many bytes a call takes from the heap in all.
func allocated(call func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	call()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestGuardSetsGoavrosLimits(t *testing.T) {
	t.Parallel()
	require.EqualValues(t, maxElements, goavro.MaxBlockCount)
	require.EqualValues(t, maxAvroFixed, goavro.MaxBlockSize)

	// Without the limit this header makes the runtime ask for 34 GB and end the process.
	schema, err := compileAvro(`{"type":"array","items":"string"}`)
	require.NoError(t, err)
	_, _, err = schema.codec.NativeFromBinary(varints(1<<31 - 1))
	require.ErrorContains(t, err, "MaxBlockCount")
}

// Not parallel: it reads how much the whole process allocates.
func TestGuardRefusesCountBombsWithoutMemory(t *testing.T) {
	list, dictionary := recordOf("coupons", `{"type":"array","items":"string"}`), recordOf("attributes", `{"type":"map","values":"string"}`)
	for name, count := range map[string][]byte{
		"OfAnArrayAt31Bits": varints(1<<31 - 1), "OfAnArrayAt63Bits": varints(1<<63 - 1), "OneBlockOver": varints(maxElements + 1),
		"Negative": varints(-(1 << 31), 0), "MostNegative": varints(-1<<63, 0), "Overflowing": varints(1, 0, 1<<63-1),
	} {
		for kind, schema := range map[string]string{"coupons": list, "attributes": dictionary} {
			t.Run(kind+name, func(t *testing.T) {
				datum := count
				if kind == "attributes" && name == "Overflowing" {
					datum = varints(1, 0, 0, 1<<63-1)
				}
				compiled, err := compileAvro(schema)
				require.NoError(t, err)
				used := allocated(func() { _, err = compiled.decode(datum) })
				requireInvalid(t, err, ReasonInvalidOrder, kind, "must have at most 10000 elements")
				require.Less(t, used, uint64(64<<10))
			})
		}
	}
}

func TestGuardTakesALegalListInOneBlock(t *testing.T) {
	t.Parallel()
	// Java's encoder writes one block for the whole list, however long.
	o := order(t)
	for len(o.Items) < maxElements {
		o.Items = append(o.Items, o.Items[2])
	}
	encoded, err := EncodeOrder(1, o)
	require.NoError(t, err)
	require.Contains(t, string(encoded), string(varints(maxElements)))
	read, err := decodeOrder(t, encoded, OrderConfirmedSchema)
	require.NoError(t, err)
	require.Equal(t, o, read)

	o.Items = append(o.Items, o.Items[0])
	encoded, err = EncodeOrder(1, o)
	require.NoError(t, err)
	_, err = decodeOrder(t, encoded, OrderConfirmedSchema)
	requireInvalid(t, err, ReasonInvalidOrder, "items", "must have at most 10000 elements")
}

func TestGuardTakesBlocksWithSizes(t *testing.T) {
	t.Parallel()
	schema := recordOf("coupons", `{"type":"array","items":"string"}`)
	for name, test := range map[string]struct {
		datum []byte
		text  string
	}{
		"Right":    {append(append(varints(-2, 4, 1), 'A'), append(append(varints(1), 'B'), varints(-1, 2, 1)...)...), "is required"},
		"TooShort": {append(append(varints(-1, 1, 1), 'A'), 0), "block of another size"},
		"TooLong":  {append(append(varints(-1, 3, 1), 'A'), varints(0, 0, 0)...), "block of another size"},
		"PastEnd":  {append(append(varints(-1, 99, 1), 'A'), 0), "block longer than the record"},
		"Negative": {append(append(varints(-1, -2, 1), 'A'), 0), "block longer than the record"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "Right" {
				test.datum = append(append(test.datum, 'C'), 0)
			}
			_, err := decodeOrder(t, framed(test.datum...), schema)
			require.ErrorContains(t, err, test.text)
		})
	}
}

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

// Not parallel: it reads how much the whole process allocates.
func TestGuardBoundsManySmallBlocks(t *testing.T) {
	schema, err := compileAvro(recordOf("x", `{"type":"array","items":["null","boolean"]}`))
	require.NoError(t, err)
	many := bytes.Repeat(append(varints(100), bytes.Repeat([]byte{2, 1}, 100)...), 5000)
	many = append(many, 0)
	used := allocated(func() { _, err = schema.decode(many) })
	requireInvalid(t, err, ReasonInvalidOrder, "x", "must have at most 10000 elements")
	require.Less(t, used, uint64(64<<10))
}

// Not parallel: it reads how much the whole process allocates.
func TestGuardBoundsTheValuesOfOneRecord(t *testing.T) {
	// No list is too long here, but together they would cost goavro 350 bytes for every one that came.
	fields := make([]string, 200)
	for i := range fields {
		fields[i] = fmt.Sprintf(`{"name":"f%d","type":{"type":"array","items":["null","boolean"]}}`, i)
	}
	schema, err := compileAvro(`{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`)
	require.NoError(t, err)
	lists := bytes.Repeat(append(append(varints(2500), bytes.Repeat([]byte{2, 1}, 2500)...), 0), 200)
	used := allocated(func() { _, err = schema.decode(lists) })
	requireInvalid(t, err, ReasonMalformed, "", "more than 200000 values")
	require.Less(t, used, uint64(64<<10))
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

func TestGuardRecoversFromPanicsWhileDecoding(t *testing.T) {
	t.Parallel()
	schema, err := compileAvro(`"null"`)
	require.NoError(t, err)
	schema.codec = nil
	_, err = schema.decode(nil)
	requireInvalid(t, err, ReasonMalformed, "", "goavro cannot decode the record")
}

func TestGuardRefusesBytesBehindTheDatum(t *testing.T) {
	t.Parallel()
	encoded, err := EncodeOrder(1, order(t))
	require.NoError(t, err)
	_, err = decodeOrder(t, append(encoded, 0), OrderConfirmedSchema)
	requireInvalid(t, err, ReasonMalformed, "", "1 bytes are left after the datum; was it written with another schema")
}

func TestGuardRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	encoded, err := EncodeOrder(1, order(t))
	require.NoError(t, err)
	for length := 1; length < len(encoded); length++ {
		_, err := decodeOrder(t, encoded[:length], OrderConfirmedSchema)
		requireInvalid(t, err, ReasonMalformed, "", "")
	}
	_, err = decodeOrder(t, encoded[:60], OrderConfirmedSchema)
	requireInvalid(t, err, ReasonMalformed, "items[0].discount", "ends early")
}

func TestGuardRefusesBadNumbers(t *testing.T) {
	t.Parallel()
	number, whole := recordOf("x", `"long"`), recordOf("x", `"int"`)
	for name, test := range map[string]struct {
		schema string
		datum  []byte
		text   string
	}{
		"AnEndlessVarint":  {number, bytes.Repeat([]byte{0xff}, 1<<19), "beyond 64 bits"},
		"AVarintOf70Bits":  {number, append(bytes.Repeat([]byte{0xff}, 9), 0x02), "beyond 64 bits"},
		"APaddedVarint":    {number, []byte{0x80, 0x00}, "padded"},
		"ALongPadding":     {number, append(bytes.Repeat([]byte{0x80}, 11), 0x00), "beyond 64 bits"},
		"AVarintCutShort":  {number, []byte{0x80}, "ends early"},
		"AnIntOf33Bits":    {whole, varints(1 << 31), "beyond 32 bits"},
		"ABooleanOfTwo":    {recordOf("x", `"boolean"`), []byte{2}, "no Avro boolean"},
		"AnUnknownBranch":  {recordOf("x", `["null","int"]`), varints(2), "choice 2 of 2"},
		"ANegativeBranch":  {recordOf("x", `["null","int"]`), varints(-1), "choice -1 of 2"},
		"AnUnknownSymbol":  {recordOf("x", `{"type":"enum","name":"E","symbols":["A"]}`), varints(1), "choice 1 of 1"},
		"ANegativeLength":  {recordOf("x", `"string"`), varints(-5), "negative length"},
		"AnEndlessString":  {recordOf("x", `"string"`), varints(1 << 40), "ends early"},
		"AShortDouble":     {recordOf("x", `"double"`), make([]byte, 7), "ends early"},
		"AShortFloat":      {recordOf("x", `"float"`), make([]byte, 3), "ends early"},
		"AShortFixed":      {recordOf("x", `{"type":"fixed","name":"F","size":3}`), make([]byte, 2), "ends early"},
		"ARepeatedMapName": {recordOf("x", `{"type":"map","values":"int"}`), []byte{4, 2, 'a', 0, 2, 'a', 0, 0}, "a map repeats a key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := decodeOrder(t, framed(test.datum...), test.schema)
			requireInvalid(t, err, ReasonMalformed, "", test.text)
		})
	}
}

func TestGuardCopiesBytes(t *testing.T) {
	t.Parallel()
	encoded, err := EncodeOrder(1, order(t))
	require.NoError(t, err)
	read, err := decodeOrder(t, encoded, OrderConfirmedSchema)
	require.NoError(t, err)
	for i := range encoded {
		encoded[i] = 0xff
	}
	require.Equal(t, order(t), read)
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
