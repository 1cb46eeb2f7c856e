package schema

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func BenchmarkDecodeOrder(b *testing.B) {
	encoded, err := EncodeOrder(1, order(b))
	require.NoError(b, err)
	for _, format := range []struct {
		name  string
		value []byte
	}{{FormatJSON, []byte(orderJSON)}, {FormatAvro, encoded}} {
		b.Run(format.name, func(b *testing.B) {
			decode, err := NewOrderDecoder(format.name, registryOf(OrderConfirmedSchema))
			require.NoError(b, err)
			ctx := b.Context()
			b.SetBytes(int64(len(format.value)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(ctx, format.value); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("ScanOnly", func(b *testing.B) {
		schema, err := orderConfirmed()
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if err := scanAvro(schema.root, encoded[wireHeader:]); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("GoavroOnly", func(b *testing.B) {
		schema, err := orderConfirmed()
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			if _, _, err := schema.codec.NativeFromBinary(encoded[wireHeader:]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkDecodeClick reads a thousand clicks in turn. With one alone the processor would learn its characters by heart,
// which no click table does.
func BenchmarkDecodeClick(b *testing.B) {
	const optional = `{"type":"record","name":"C","fields":[{"name":"page","type":["null","string"]},{"name":"consent","type":"boolean"},` +
		`{"name":"cjevent","type":["null","string"]},{"name":"captured_at","type":["null","string"]}]}`
	random := rand.New(rand.NewPCG(1, 2))
	encoded := map[string][][]byte{}
	for range 1000 {
		raw := make([]byte, 16)
		for i := range raw {
			raw[i] = byte(random.Uint32())
		}
		id, at := hex.EncodeToString(raw), time.UnixMilli(1774609327123+random.Int64N(1e9)).UTC()
		text := formatInstant(at)
		canonical, err := EncodeClick(1, Click{id, at})
		require.NoError(b, err)
		encoded["Avro"] = append(encoded["Avro"], canonical)
		nullable := append(append([]byte{0, 0, 0, 0, 2, 2}, varints(6)...), "/shoes"...)
		nullable = append(append(append(nullable, 1, 2), varints(int64(len(id)))...), id...)
		nullable = append(append(append(nullable, 2), varints(int64(len(text)))...), text...)
		encoded["AvroOptional"] = append(encoded["AvroOptional"], nullable)
		encoded["JSON"] = append(encoded["JSON"], []byte(`{"cjevent": "`+id+`", "captured_at": "`+text+`"}`))
		encoded["String"] = append(encoded["String"], []byte(id))
	}
	for _, of := range []struct{ name, format string }{
		{"Avro", FormatAvro}, {"AvroOptional", FormatAvro}, {"JSON", FormatJSON}, {"String", FormatString},
	} {
		b.Run(of.name, func(b *testing.B) {
			decode, err := NewClickDecoder(of.format, registryOf(CJEventSchema, optional))
			require.NoError(b, err)
			ctx, recordTime, values, i := b.Context(), time.UnixMilli(1774609327123), encoded[of.name], 0
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(ctx, values[i%len(values)], recordTime); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}
