package schema

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
)

func TestValidClickID(t *testing.T) {
	t.Parallel()

	for _, id := range []string{"a", "Z9", "b7f2a9d4c1e836b0f92d4a1c5e7b8a39", strings.Repeat("x", 64)} {
		require.NoError(t, ValidClickID(id), id)
	}
	for id, want := range map[string]string{
		"":                      "click id is empty",
		strings.Repeat("x", 65): "click id (65 characters): must be at most 64 characters",
		"secret-id":             `click id (9 characters, first bad character '-' at position 7): must be letters A-Z, a-z and digits only`,
		"secret ":               `click id (7 characters, first bad character ' ' at position 7): must be letters A-Z, a-z and digits only`,
		"secrét":                `click id (6 characters, first bad character 'é' at position 5): must be letters A-Z, a-z and digits only`,
	} {
		require.EqualError(t, ValidClickID(id), want)
	}
}

func TestClickDecoder(t *testing.T) {
	t.Parallel()

	recordTime := time.Date(2026, 3, 26, 10, 0, 0, 0, time.FixedZone("", 3600))
	capturedAt := time.Date(2026, 3, 26, 9, 15, 0, 0, time.UTC)
	const id = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	schemas := []string{CJEventSchema, recordOf("cjevent", `["null","string"]`),
		`{"type":"record","name":"C","fields":[{"name":"cjevent","type":"string"},{"name":"captured_at","type":["null","string"]}]}`}
	decode := func(t *testing.T, format string, value []byte) (Click, error) {
		t.Helper()
		decoder, err := NewClickDecoder(format, registryOf(schemas...))
		require.NoError(t, err)
		return decoder(t.Context(), value, recordTime)
	}
	avro, err := EncodeClick(1, Click{id, capturedAt.Add(999 * time.Microsecond)})
	require.NoError(t, err)
	text := func(s string) []byte { return append(varints(int64(len(s))), s...) }

	for name, test := range map[string]struct {
		format string
		value  []byte
		at     time.Time
	}{
		"AvroCutToMilliseconds":  {FormatAvro, avro, capturedAt},
		"AvroWithoutTime":        {FormatAvro, append([]byte{0, 0, 0, 0, 2, 2}, text(id)...), recordTime.UTC()},
		"AvroWithNullTime":       {FormatAvro, append(append([]byte{0, 0, 0, 0, 3}, text(id)...), 0), recordTime.UTC()},
		"JSON":                   {FormatJSON, []byte(`{"cjevent":"` + id + `","captured_at":"2026-03-26T09:15:00.000Z"}`), capturedAt},
		"JSONInAnotherZone":      {FormatJSON, []byte(`{"cjevent":"` + id + `","captured_at":"2026-03-26T10:15:00+01:00","x":{"y":1}}`), capturedAt},
		"JSONWithoutTime":        {FormatJSON, []byte(`{"cjevent":"` + id + `"}`), recordTime.UTC()},
		"JSONWithNullTime":       {FormatJSON, []byte(`{"cjevent":"` + id + `","captured_at":null}`), recordTime.UTC()},
		"JSONWithEmptyTime":      {FormatJSON, []byte(`{"cjevent":"` + id + `","captured_at":""}`), recordTime.UTC()},
		"JSONFromTheFuture":      {FormatJSON, []byte(`{"cjevent":"` + id + `","captured_at":"2126-03-26T09:15:00Z"}`), capturedAt.AddDate(100, 0, 0)},
		"AStringTakesRecordTime": {FormatString, []byte(id), recordTime.UTC()},
	} {
		t.Run("Reads"+name, func(t *testing.T) {
			t.Parallel()
			click, err := decode(t, test.format, test.value)
			require.NoError(t, err)
			require.Equal(t, Click{id, test.at}, click)
		})
	}

	for name, test := range map[string]struct {
		format string
		value  []byte
		text   string
	}{
		"ANullValue":          {FormatString, nil, "value is null"},
		"AnEmptyValue":        {FormatString, []byte{}, "value is empty"},
		"AHugeValue":          {FormatString, make([]byte, MaxBytesDefault+1), "must be at most 1048576"},
		"AnIllegalID":         {FormatString, []byte("b7f2-9d4c"), "first bad character '-' at position 5"},
		"ALineEnd":            {FormatString, []byte("b7f29d4c\n"), `first bad character '\n'`},
		"JSONForAString":      {FormatString, []byte(`{"cjevent":"x"}`), "first bad character '{'"},
		"InvalidUTF8":         {FormatString, []byte("b7\xff"), "first bad character"},
		"NoID":                {FormatJSON, []byte(`{"captured_at":"2026-03-26T09:15:00Z"}`), "click id is empty"},
		"AnIllegalIDInJSON":   {FormatJSON, []byte(`{"cjevent":"b7f2-9d4c"}`), "first bad character"},
		"ANumberAsID":         {FormatJSON, []byte(`{"cjevent":77}`), "cjevent must be a string, not a number"},
		"ABareIDForJSON":      {FormatJSON, []byte(id), "not a JSON object"},
		"HalfAnObject":        {FormatJSON, []byte(`{"cjevent":"` + id), "ends early"},
		"ARepeatedName":       {FormatJSON, []byte(`{"cjevent":"a","cjevent":"b"}`), "a name repeats"},
		"ATimeWithoutZone":    {FormatJSON, []byte(`{"cjevent":"a","captured_at":"2026-03-26T09:15:00"}`), "must be RFC 3339 with a zone"},
		"AnUnsetTime":         {FormatJSON, []byte(`{"cjevent":"a","captured_at":"1970-01-01T00:00:00Z"}`), "must not be before 2000-01-01"},
		"AnUnknownSchema":     {FormatAvro, []byte{0, 0, 0, 0, 9, 2, 'a'}, "schema id 9 is not in the registry"},
		"NoWireFormat":        {FormatAvro, []byte(id), "not in Confluent's wire format"},
		"ATruncatedRecord":    {FormatAvro, avro[:20], "cjevent ends early"},
		"AnIllegalIDInAvro":   {FormatAvro, append([]byte{0, 0, 0, 0, 2, 2}, text("b7f2-9d4c")...), "first bad character"},
		"ANullIDInAvro":       {FormatAvro, []byte{0, 0, 0, 0, 2, 0}, "click id is empty"},
		"AnotherTimeInAvro":   {FormatAvro, append(append([]byte{0, 0, 0, 0, 3}, text(id)...), append([]byte{2}, text("now")...)...), "must be RFC 3339"},
		"BytesBehindTheDatum": {FormatAvro, append(avro[:len(avro):len(avro)], 0), "1 bytes are left"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			_, err := decode(t, test.format, test.value)
			requireInvalid(t, err, ReasonClickInvalid, "", test.text)
			require.NotContains(t, err.Error(), id)
			require.NotContains(t, err.Error(), "b7f2")
		})
	}

	t.Run("PassesOnThatTheRegistryIsAway", func(t *testing.T) {
		t.Parallel()
		decoder, err := NewClickDecoder(FormatAvro, NewRegistry(sourceFunc(func(context.Context, int) (sr.Schema, error) {
			return sr.Schema{}, &sr.ResponseError{StatusCode: 503}
		})))
		require.NoError(t, err)
		_, err = decoder(t.Context(), avro, recordTime)
		requireUnavailable(t, err, "HTTP status 503")
	})

	t.Run("KnowsItsFormats", func(t *testing.T) {
		t.Parallel()
		_, err := NewClickDecoder("protobuf", nil)
		require.EqualError(t, err, `click format "protobuf": must be "avro", "json" or "string"`)
		_, err = NewClickDecoder(FormatAvro, nil)
		require.EqualError(t, err, `format "avro": needs a schema registry`)
		_, err = NewClickDecoder(FormatString, nil, MaxBytes(-1))
		require.EqualError(t, err, "decoder's MaxBytes -1: must be positive")
	})
}
