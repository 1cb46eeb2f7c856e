package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// anyAvroSchema draws the text of a type. Named types get a new name each, or are used again by it.
func anyAvroSchema(t *rapid.T, depth int, names *[]string) string {
	kinds := []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string", "fixed", "enum", "named"}
	if depth > 0 {
		kinds = append(kinds, "array", "map", "union", "record", "array", "map", "union", "record")
	}
	kind := rapid.SampledFrom(kinds).Draw(t, "kind")
	name := fmt.Sprintf("N%d", len(*names))
	switch kind {
	case "named":
		if len(*names) == 0 {
			return `"int"`
		}
		return `"` + rapid.SampledFrom(*names).Draw(t, "name") + `"`
	case "fixed":
		*names = append(*names, name)
		return fmt.Sprintf(`{"type":"fixed","name":%q,"size":%d}`, name, rapid.IntRange(1, 5).Draw(t, "size"))
	case "enum":
		*names = append(*names, name)
		return fmt.Sprintf(`{"type":"enum","name":%q,"symbols":["A","B","C"]}`, name)
	case "array":
		return `{"type":"array","items":` + anyAvroSchema(t, depth-1, names) + `}`
	case "map":
		return `{"type":"map","values":` + anyAvroSchema(t, depth-1, names) + `}`
	case "union":
		return `["null",` + anyAvroSchema(t, depth-1, names) + `,"long"]`
	case "record":
		var fields []string
		for i := range rapid.IntRange(0, 4).Draw(t, "fields") {
			fields = append(fields, fmt.Sprintf(`{"name":"f%d","type":%s}`, i, anyAvroSchema(t, depth-1, names)))
		}
		// Named only now: a record's name may stand for it behind it, not inside it.
		name = fmt.Sprintf("N%d", len(*names))
		*names = append(*names, name)
		return fmt.Sprintf(`{"type":"record","name":%q,"fields":[%s]}`, name, strings.Join(fields, ","))
	}
	return `"` + kind + `"`
}

// anyDatum draws bytes that are one datum of a type.
func anyDatum(t *rapid.T, of *avroType) []byte {
	some := func(label string, least, most int) []byte {
		return rapid.SliceOfN(rapid.Byte(), least, most).Draw(t, label)
	}
	switch of.kind {
	case avroBoolean:
		return []byte{byte(rapid.IntRange(0, 1).Draw(t, "boolean"))}
	case avroInt:
		return varints(int64(rapid.Int32().Draw(t, "int")))
	case avroLong:
		return varints(rapid.Int64().Draw(t, "long"))
	case avroFloat:
		return some("float", 4, 4)
	case avroDouble:
		return some("double", 8, 8)
	case avroBytes, avroString:
		text := some("bytes", 0, 5)
		return append(varints(int64(len(text))), text...)
	case avroFixed:
		return some("fixed", of.size, of.size)
	case avroEnum:
		return varints(rapid.Int64Range(0, int64(len(of.symbols)-1)).Draw(t, "symbol"))
	case avroUnion:
		index := rapid.IntRange(0, len(of.members)-1).Draw(t, "member")
		return append(varints(int64(index)), anyDatum(t, of.members[index])...)
	case avroArray, avroMap:
		var blocks []byte
		for block := range rapid.IntRange(0, 2).Draw(t, "blocks") {
			var elements []byte
			count := rapid.Int64Range(1, 3).Draw(t, "count")
			for i := range count {
				if of.kind == avroMap {
					elements = append(append(elements, 6), fmt.Sprintf("k%d%d", block, i)...)
				}
				elements = append(elements, anyDatum(t, of.element)...)
			}
			if rapid.Bool().Draw(t, "sized") {
				blocks = append(blocks, varints(-count, int64(len(elements)))...)
			} else {
				blocks = append(blocks, varints(count)...)
			}
			blocks = append(blocks, elements...)
		}
		return append(blocks, 0)
	}
	var fields []byte
	for _, field := range of.fields {
		fields = append(fields, anyDatum(t, field.of)...)
	}
	return fields
}

func TestScanAgreesWithGoavro(t *testing.T) {
	t.Parallel()

	rapid.Check(t, func(t *rapid.T) {
		text := anyAvroSchema(t, 4, &[]string{})
		schema, err := compileAvro(text)
		if err != nil {
			// The only two rules that a drawn schema breaks.
			require.Regexp(t, "take no bytes|one type twice", err.Error())
			t.Skip()
		}
		datum := anyDatum(t, schema.root)
		require.NoError(t, scanAvro(schema.root, datum), text)
		_, rest, err := schema.codec.NativeFromBinary(datum)
		require.NoError(t, err, text)
		require.Empty(t, rest)

		if len(datum) == 0 {
			return
		}
		datum[rapid.IntRange(0, len(datum)-1).Draw(t, "position")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if scanAvro(schema.root, datum) == nil {
			if _, rest, err := schema.codec.NativeFromBinary(datum); err != nil {
				require.ErrorContains(t, err, "duplicate key")
			} else {
				require.Empty(t, rest)
			}
		}
	})
}
