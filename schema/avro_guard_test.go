package schema

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
)

// The tests here and in avro_schema_guard_test.go are named for what goavro does on its own with each of these inputs: end the process, panic,
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
