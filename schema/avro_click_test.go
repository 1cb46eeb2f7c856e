package schema

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const (
	millis = `{"type":"long","logicalType":"timestamp-millis"}`
	micros = `{"type":"long","logicalType":"timestamp-micros"}`
)

// clickOf is the schema of a record with the given fields, each a name and the text of a type.
func clickOf(fields ...[2]string) string {
	texts := make([]string, len(fields))
	for i, field := range fields {
		texts[i] = fmt.Sprintf(`{"name":%q,"type":%s}`, field[0], field[1])
	}
	return `{"type":"record","name":"Click","fields":[` + strings.Join(texts, ",") + `]}`
}

// requireSameClick demands that a datum gives the same click, or the same error, with goavro and without.
func requireSameClick(t require.TestingT, schema *avroSchema, datum []byte) (Click, error) {
	recordTime := time.UnixMilli(1774609327123)
	withGoavro := &avroSchema{root: schema.root, codec: schema.codec}
	want, wantErr := withGoavro.click(datum, recordTime)
	got, err := schema.click(datum, recordTime)
	require.Equal(t, wantErr, err)
	require.Equal(t, want, got)
	return got, err
}

func TestFlatClick(t *testing.T) {
	t.Parallel()
	id := [2]string{"cjevent", `"string"`}
	for name, test := range map[string]struct {
		schema string
		flat   bool
	}{
		"TheCanonicalSchema": {CJEventSchema, true},
		"UnionsInAnyOrder":   {clickOf([2]string{"captured_at", `["string",` + micros + `,"null"]`}, [2]string{"cjevent", `["null","string"]`}), true},
		"NoClickFields":      {clickOf([2]string{"x", `"int"`}), true},
		"OtherFieldsOfAny":   {clickOf(id, [2]string{"x", `{"type":"array","items":["null","double"]}`}), true},
		"AnEnumAsID":         {clickOf([2]string{"cjevent", `{"type":"enum","name":"E","symbols":["A"]}`}), false},
		"ALongAsID":          {clickOf([2]string{"cjevent", `["string","long"]`}), false},
		"AnIntAsTime":        {clickOf(id, [2]string{"captured_at", `["null","int"]`}), false},
		"AMap":               {clickOf(id, [2]string{"x", `{"type":"map","values":"int"}`}), false},
		"AMapFurtherInside":  {clickOf(id, [2]string{"x", `["null",{"type":"array","items":` + recordOf("y", `{"type":"map","values":"int"}`) + `}]`}), false},
		"ARecordInAUnion":    {`["null",` + CJEventSchema + `]`, false},
		"NoRecord":           {`"string"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			schema, err := compileAvro(test.schema)
			require.NoError(t, err)
			require.Equal(t, test.flat, schema.flatClick)
		})
	}

	t.Run("DoesNotAliasTheRecord", func(t *testing.T) {
		t.Parallel()
		schema, err := compileAvro(recordOf("cjevent", `"string"`))
		require.NoError(t, err)
		datum := append(varints(4), "b7f2"...)
		click, err := requireSameClick(t, schema, datum)
		require.NoError(t, err)
		clear(datum)
		require.Equal(t, "b7f2", click.ID)
	})

	t.Run("CountsTheRecordAsAValue", func(t *testing.T) {
		t.Parallel()
		fields := [][2]string{id}
		for i := range 20 {
			fields = append(fields, [2]string{fmt.Sprintf("f%d", i), `{"type":"array","items":"boolean"}`})
		}
		schema, err := compileAvro(clickOf(fields...))
		require.NoError(t, err)
		// The record, its fields and the elements of its lists.
		last := maxAvroScan - 1 - len(fields) - 19*maxElements
		datum := append(varints(1), 'a')
		for _, count := range append(slices.Repeat([]int{maxElements}, 19), last) {
			datum = append(append(append(datum, varints(int64(count))...), make([]byte, count)...), 0)
		}
		_, err = requireSameClick(t, schema, datum)
		require.NoError(t, err)
		datum = slices.Insert(datum, len(datum)-1, varints(1, 0)...)
		_, err = requireSameClick(t, schema, datum)
		require.ErrorContains(t, err, "f19[9978] brings the record to more than 200000 values")
	})

	t.Run("ReportsABrokenDatumBeforeABrokenValue", func(t *testing.T) {
		t.Parallel()
		schema, err := compileAvro(clickOf([2]string{"captured_at", millis}, id, [2]string{"x", `"boolean"`}))
		require.NoError(t, err)
		for text, datum := range map[string][]byte{
			"captured_at 1: must not be before": append(varints(1, 1), '-', 1),
			"x is no Avro boolean":              append(varints(1, 1), '-', 2),
			"1 bytes are left":                  append(varints(1, 1), '-', 1, 0),
		} {
			_, err = requireSameClick(t, schema, datum)
			require.ErrorContains(t, err, text)
		}
	})
}

// Not parallel: it counts what the whole process allocates.
func TestAClickIsReadWithoutBoxes(t *testing.T) {
	encoded, err := EncodeClick(1, Click{"b7f2a9d4c1e836b0f92d4a1c5e7b8a39", time.UnixMilli(1774609327123)})
	require.NoError(t, err)
	decode, err := NewClickDecoder(FormatAvro, registryOf(CJEventSchema))
	require.NoError(t, err)
	require.EqualValues(t, 1, testing.AllocsPerRun(100, func() {
		_, err = decode(t.Context(), encoded, time.Time{})
	}), "the id alone")
	require.NoError(t, err)
}

func TestClicksAreTheSameWithoutGoavro(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var names []string
		fields := rapid.Permutation([]string{"cjevent", "captured_at", "other", "another"}).Draw(t, "fields")
		fields = fields[rapid.IntRange(0, len(fields)).Draw(t, "missing"):]
		typed := make([][2]string, len(fields))
		for i, field := range fields {
			usual := map[string][]string{
				"cjevent":     {`"string"`, `["null","string"]`, `["string","null"]`, `"null"`},
				"captured_at": {millis, `["null",` + millis + `]`, `["null","string",` + micros + `]`, `"long"`, `{"type":"long","logicalType":"timestamp-nanos"}`},
			}[field]
			of := anyAvroSchema(t, 2, &names)
			if len(usual) > 0 && rapid.IntRange(0, 9).Draw(t, "unusual") < 9 {
				of = rapid.SampledFrom(usual).Draw(t, "type")
			}
			typed[i] = [2]string{field, of}
		}
		schema, err := compileAvro(clickOf(typed...))
		if err != nil {
			// As in TestScanAgreesWithGoavro, or a name whose definition the usual type took the place of.
			require.Regexp(t, "take no bytes|one type twice|unknown type", err.Error())
			t.Skip()
		}
		var datum []byte
		for _, field := range schema.root.fields {
			datum = append(datum, clickDatum(t, field)...)
		}
		requireSameClick(t, schema, datum)

		for range rapid.IntRange(0, 3).Draw(t, "faults") {
			if len(datum) == 0 {
				break
			}
			at := rapid.IntRange(0, len(datum)-1).Draw(t, "position")
			switch rapid.SampledFrom([]string{"flip", "cut", "append"}).Draw(t, "fault") {
			case "flip":
				datum[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			case "cut":
				datum = datum[:at]
			case "append":
				datum = append(datum, rapid.Byte().Draw(t, "byte"))
			}
			requireSameClick(t, schema, datum)
		}
	})
}

// clickDatum draws bytes of one field, which mostly make a legal click where its type allows.
func clickDatum(t *rapid.T, field avroField) []byte {
	var index []byte
	of := field.of
	if of.kind == avroUnion {
		member := rapid.IntRange(0, len(of.members)-1).Draw(t, "member")
		index, of = varints(int64(member)), of.members[member]
	}
	if rapid.IntRange(0, 9).Draw(t, "illegal") < 9 {
		text := ""
		switch {
		case field.name == "cjevent" && of.kind == avroString:
			text = rapid.StringMatching(`[A-Za-z0-9]{1,64}`).Draw(t, "id")
		case field.name == "captured_at" && of.kind == avroString:
			text = formatInstant(time.UnixMicro(rapid.Int64Range(1e15, 2e15).Draw(t, "instant")))
		case of.kind == avroLong:
			unit := map[string]int64{logicalMicros: 1e3, logicalNanos: 1e6}[of.logical]
			return append(index, varints(max(unit, 1)*rapid.Int64Range(1e12, 2e12).Draw(t, "timestamp"))...)
		}
		if text != "" {
			return append(append(index, varints(int64(len(text)))...), text...)
		}
	}
	return append(index, anyDatum(t, of)...)
}
