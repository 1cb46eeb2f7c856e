package schema

import (
	"testing"

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
