//go:build kafka

package interop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/schema"
)

const (
	schemaID    = 0x01020304
	orderSchema = "../../schema/order_confirmed.avsc"
	clickSchema = "../../schema/cjevent.avsc"
	// smallestBlock is the smallest that Java writes, in bytes. By default it writes a list as one block.
	smallestBlock = 64
)

// registered is a registry that has one schema, under schemaID.
type registered string

func (r registered) SchemaByID(_ context.Context, id int) (sr.Schema, error) {
	if id != schemaID {
		return sr.Schema{}, &sr.ResponseError{StatusCode: 404, ErrorCode: 40403}
	}
	return sr.Schema{Schema: string(r)}, nil
}

func lines(all []named) []string {
	lines := make([]string, len(all))
	for i, one := range all {
		lines[i] = one.json
	}
	return lines
}

// readOrder is what the canonical JSON says.
func readOrder(t *testing.T, json string) *schema.Order {
	t.Helper()
	decode, err := schema.NewOrderDecoder(schema.FormatJSON, nil)
	require.NoError(t, err)
	order, err := decode(t.Context(), []byte(json))
	require.NoError(t, err)
	return order
}

func readClick(t *testing.T, json string) schema.Click {
	t.Helper()
	decode, err := schema.NewClickDecoder(schema.FormatJSON, nil)
	require.NoError(t, err)
	click, err := decode(t.Context(), []byte(json), time.Time{})
	require.NoError(t, err)
	return click
}

func TestOrdersWrittenByJavaReadAsTheirJSON(t *testing.T) {
	t.Parallel()
	java, orders := java(t), orders()
	for name, file := range map[string]string{
		"OurSchema":              orderSchema,
		"FieldsAndNamesOfOthers": "testdata/order_evolved.avsc",
		"OtherTypes":             "testdata/order_promoted.avsc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, asOneBlock := java.encode(t, file, lines(orders), 0)
			_, inBlocks := java.encode(t, file, lines(orders), smallestBlock)
			decode, err := schema.NewOrderDecoder(schema.FormatAvro, schema.NewRegistry(registered(text)))
			require.NoError(t, err)
			for i := range orders {
				want := readOrder(t, orders[i].json)
				for _, value := range [][]byte{asOneBlock[i], inBlocks[i]} {
					order, err := decode(t.Context(), value)
					require.NoError(t, err, orders[i].name)
					require.Equal(t, want, order, orders[i].name)
				}
				if len(want.Items) > 100 {
					require.NotEqual(t, asOneBlock[i], inBlocks[i], orders[i].name)
				}
			}
		})
	}
}

func TestClicksWrittenByJavaReadAsTheirJSON(t *testing.T) {
	t.Parallel()
	java, clicks := java(t), clicks()
	for name, file := range map[string]string{
		"OurSchema":              clickSchema,
		"FieldsAndNamesOfOthers": "testdata/click_evolved.avsc",
		"AMapAndOtherTypes":      "testdata/click_mapped.avsc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, asOneBlock := java.encode(t, file, lines(clicks), 0)
			_, inBlocks := java.encode(t, file, lines(clicks), smallestBlock)
			decode, err := schema.NewClickDecoder(schema.FormatAvro, schema.NewRegistry(registered(text)))
			require.NoError(t, err)
			for i := range clicks {
				want := readClick(t, clicks[i].json)
				for _, value := range [][]byte{asOneBlock[i], inBlocks[i]} {
					click, err := decode(t.Context(), value, time.Time{})
					require.NoError(t, err, clicks[i].name)
					require.Equal(t, want, click, clicks[i].name)
				}
			}
		})
	}
}

// A refund in the orders' topic must not come out as a large amount.
func TestNegativeAmountsWrittenByJavaAreRefused(t *testing.T) {
	t.Parallel()
	java := java(t)
	for _, file := range []string{orderSchema, "testdata/order_promoted.avsc"} {
		var negative []named
		for _, amount := range []string{"-0.0001", "-0.0128", "-0.0129", "-1.00", "-99999999999999.9999"} {
			negative = append(negative, orderWith(amount, `"amount": "`+amount+`"`))
		}
		text, values := java.encode(t, file, lines(negative), 0)
		decode, err := schema.NewOrderDecoder(schema.FormatAvro, schema.NewRegistry(registered(text)))
		require.NoError(t, err)
		for i, value := range values {
			_, err := decode(t.Context(), value)
			var invalid *schema.InvalidError
			require.ErrorAs(t, err, &invalid, negative[i].name)
			require.ErrorContains(t, err, "amount", negative[i].name)
			require.ErrorContains(t, err, "must not be negative", negative[i].name)
		}
	}
}

func TestJavaReadsWhatWeWrite(t *testing.T) {
	t.Parallel()
	java := java(t)

	t.Run("Orders", func(t *testing.T) {
		t.Parallel()
		all := orders()
		values := make([][]byte, len(all))
		for i, one := range all {
			value, err := schema.EncodeOrder(schemaID, readOrder(t, one.json))
			require.NoError(t, err, one.name)
			values[i] = value
		}
		for i, printed := range java.decode(t, orderSchema, values) {
			require.Equal(t, readOrder(t, all[i].json), readOrder(t, printed), all[i].name)
		}
	})

	t.Run("Clicks", func(t *testing.T) {
		t.Parallel()
		all := clicks()
		values := make([][]byte, len(all))
		for i, one := range all {
			value, err := schema.EncodeClick(schemaID, readClick(t, one.json))
			require.NoError(t, err, one.name)
			values[i] = value
		}
		for i, printed := range java.decode(t, clickSchema, values) {
			require.Equal(t, readClick(t, all[i].json), readClick(t, printed), all[i].name)
		}
		_, written := java.encode(t, clickSchema, lines(all), 0)
		require.Equal(t, written, values, "a click has one encoding")
	})

	// Word for word, since the tests above read Java's JSON with our own decoder.
	t.Run("AnOrderWordForWord", func(t *testing.T) {
		t.Parallel()
		value, err := schema.EncodeOrder(schemaID, readOrder(t, `{"order_id": "ORD-Ä", "session_id": "s-1", "confirmed_at": "2026-03-27T11:02:07.123Z", `+
			`"currency": "usd", "items": [{"sku": "帽子", "unit_price": "3276.8", "quantity": 2, "discount": "0.5"}, {"sku": "B", "unit_price": 99999999999999.9999, "quantity": 1}], `+
			`"coupons": ["A", "B"], "customer_status": "new", "consent": true, "attributes": {"k": "v"}}`))
		require.NoError(t, err)
		require.Equal(t, []string{`{"order_id":"ORD-Ä","session_id":"s-1","confirmed_at":"2026-03-27T11:02:07.123Z","currency":"USD",` +
			`"items":[{"sku":"帽子","unit_price":"3276.8000","quantity":2,"discount":"0.5000"},{"sku":"B","unit_price":"99999999999999.9999","quantity":1,"discount":null}],` +
			`"discount":null,"amount":null,"coupons":["A","B"],"customer_status":"New","customer_country":null,"action":null,"cjevent":null,"consent":true,` +
			`"attributes":{"k":"v"}}`}, java.decode(t, orderSchema, [][]byte{value}))
	})
}
