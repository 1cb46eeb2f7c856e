package schema

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requireDecided demands of any input what the consumer relies on: an order that obeys every rule, or an
// error that is about the record.
func requireDecided(t *testing.T, o *Order, err error) {
	t.Helper()
	if err == nil {
		require.NoError(t, o.validate())
		return
	}
	var invalid *InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Contains(t, []Reason{ReasonMalformed, ReasonInvalidOrder, ReasonUnknownSchema}, invalid.Reason)
	require.Nil(t, o)
	require.Less(t, len(err.Error()), 2000)
}

func FuzzDecodeOrderJSON(f *testing.F) {
	f.Add([]byte(orderJSON))
	f.Add(with(`"discount":1e1`, `"consent":true`, `"attributes":{"a":1.50,"b":false,"c":null}`))
	f.Add(withItems(`[{"sku":"A","unit_price":1e-18,"quantity":2.0,"discount":-0.0}]`, `"coupons":["\ud83d\ude00",""]`))
	f.Add([]byte(`{"order_id":"\u0000","confirmed_at":"2000-01-01T00:00:00.000000001-23:59","currency":"usd","amount":"0"}`))
	f.Fuzz(func(t *testing.T, value []byte) {
		decode, err := NewOrderDecoder(FormatJSON, nil)
		require.NoError(t, err)
		o, err := decode(t.Context(), value)
		requireDecided(t, o, err)
		if err != nil {
			return
		}
		encoded, err := o.AppendJSON(nil)
		require.NoError(t, err)
		again, err := decode(t.Context(), encoded)
		require.NoError(t, err, string(encoded))
		require.Equal(t, o, again)
	})
}

func FuzzDecodeOrderAvro(f *testing.F) {
	whole, err := EncodeOrder(1, order(f))
	require.NoError(f, err)
	amount, consent := money(f, "109.9550"), false
	small, err := EncodeOrder(1, &Order{ID: "o", ConfirmedAt: time.UnixMilli(1774609327123), Currency: "USD", Amount: &amount, Consent: &consent})
	require.NoError(f, err)
	f.Add(whole[wireHeader:])
	f.Add(small[wireHeader:])
	schema, err := compileAvro(OrderConfirmedSchema)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, datum []byte) {
		o, err := decodeDatum(schema, datum)
		requireDecided(t, o, err)
		if err != nil {
			return
		}
		encoded, err := EncodeOrder(1, o)
		require.NoError(t, err)
		again, err := decodeDatum(schema, encoded[wireHeader:])
		require.NoError(t, err)
		require.Equal(t, o, again)
	})
}

// FuzzDecodeOrderSchema is for writers that nobody has met yet: any schema, any bytes.
func FuzzDecodeOrderSchema(f *testing.F) {
	whole, err := EncodeOrder(1, order(f))
	require.NoError(f, err)
	f.Add(OrderConfirmedSchema, whole[wireHeader:])
	f.Add(recordOf("x", `{"type":"array","items":{"type":"map","values":["null","double"]}}`), []byte{2, 2, 2, 'a', 0, 0, 0})
	f.Add(recordOf("items", `{"type":"array","items":{"type":"enum","name":"E","symbols":["A"]}}`), []byte{1, 2, 0, 0})
	for _, of := range []string{`["null","float"]`, decimal2, `{"type":"fixed","name":"n.F","size":2,"logicalType":"decimal","precision":4,"scale":1}`} {
		schema, value := avroWith("amount", of, 0, 5)
		f.Add(schema, value[wireHeader:])
	}
	f.Fuzz(func(t *testing.T, text string, datum []byte) {
		schema, err := compileAvro(text)
		if err != nil {
			require.Nil(t, schema)
			return
		}
		if scanAvro(schema.root, datum) == nil {
			// What the scan lets pass goavro reads to the end, but for a map that repeats a key.
			_, rest, err := schema.codec.NativeFromBinary(datum)
			if err != nil {
				require.ErrorContains(t, err, "duplicate key")
			} else {
				require.Empty(t, rest)
			}
		}
		o, err := decodeDatum(schema, datum)
		requireDecided(t, o, err)
	})
}

func decodeDatum(schema *avroSchema, datum []byte) (*Order, error) {
	native, err := schema.decode(datum)
	if err != nil {
		return nil, err
	}
	return avroOrder(native, schema.root)
}

func FuzzDecodeClick(f *testing.F) {
	avro, err := EncodeClick(1, Click{"b7f2a9d4c1e836b0f92d4a1c5e7b8a39", time.UnixMilli(1774609327123)})
	require.NoError(f, err)
	f.Add([]byte("b7f2a9d4c1e836b0f92d4a1c5e7b8a39"))
	f.Add([]byte(`{"cjevent":"b7f2","captured_at":"2026-03-26T09:15:00.000Z"}`))
	f.Add(avro)
	registry := registryOf(CJEventSchema)
	recordTime := time.UnixMilli(1774609327123).UTC()
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, format := range []string{FormatString, FormatJSON, FormatAvro} {
			decode, err := NewClickDecoder(format, registry)
			require.NoError(t, err)
			click, err := decode(context.Background(), value, recordTime)
			if err != nil {
				invalid, ok := errors.AsType[*InvalidError](err)
				require.True(t, ok)
				require.Equal(t, ReasonClickInvalid, invalid.Reason)
				require.Zero(t, click)
				continue
			}
			require.NoError(t, ValidClickID(click.ID))
			checked, err := checkInstant(click.CapturedAt)
			require.NoError(t, err)
			require.Equal(t, checked.UTC(), click.CapturedAt)
		}
	})
}

// FuzzDecodeClickSchema is for any writer and any bytes: the shorter way gives what goavro would have given.
func FuzzDecodeClickSchema(f *testing.F) {
	id := append(varints(4), "b7f2"...)
	at := append(varints(24), "2026-03-26T09:15:00.000Z"...)
	f.Add(CJEventSchema, append(append([]byte{}, id...), varints(1774609327123)...))
	f.Add(clickOf([2]string{"captured_at", `["null","string"]`}, [2]string{"cjevent", `["string","null"]`}), append(append(append([]byte{2}, at...), 0), id...))
	f.Add(clickOf([2]string{"cjevent", `"string"`}, [2]string{"x", `{"type":"array","items":"int"}`}, [2]string{"captured_at", micros}),
		append(append(append([]byte{}, id...), 1, 2, 7, 0), varints(1774609327123456)...))
	f.Add(clickOf([2]string{"cjevent", `"string"`}, [2]string{"x", `{"type":"map","values":"int"}`}), append(append([]byte{}, id...), 4, 2, 'a', 1, 2, 'a', 1, 0))
	f.Fuzz(func(t *testing.T, text string, datum []byte) {
		schema, err := compileAvro(text)
		if err == nil {
			requireSameClick(t, schema, datum)
		}
	})
}
