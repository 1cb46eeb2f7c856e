package schema

import (
	_ "embed"
	"fmt"
	"sync"
)

// OrderConfirmedSchema and CJEventSchema are the Avro schemas of the canonical forms, to register and to
// generate producers from. cjrelay itself decodes with the schema that a record was written with.
var (
	//go:embed order_confirmed.avsc
	OrderConfirmedSchema string
	//go:embed cjevent.avsc
	CJEventSchema string
)

var (
	orderConfirmed = sync.OnceValues(func() (*avroSchema, error) { return compileAvro(OrderConfirmedSchema) })
	cjEvent        = sync.OnceValues(func() (*avroSchema, error) { return compileAvro(CJEventSchema) })
)

const (
	decimalPrecision = 18
	decimalScale     = 4
)

// EncodeOrder writes an order in Confluent's wire format with OrderConfirmedSchema, which the registry has
// under schemaID. Times are cut to the millisecond. An amount with more than 14 digits before or 4 after the
// point does not fit the schema and is an error. Safe for concurrent use.
func EncodeOrder(schemaID int, o *Order) ([]byte, error) {
	fit := decimalFit{}
	native := map[string]any{
		"order_id":         o.ID,
		"session_id":       optionalText(o.SessionID),
		"confirmed_at":     o.ConfirmedAt.UnixMilli(),
		"currency":         o.Currency,
		"items":            nil,
		"discount":         fit.optional(o.Discount),
		"amount":           nil,
		"coupons":          nil,
		"customer_status":  optionalText(o.CustomerStatus),
		"customer_country": optionalText(o.CustomerCountry),
		"action":           optionalText(o.Action),
		"cjevent":          optionalText(o.CJEvent),
		"consent":          nil,
		"attributes":       nil,
	}
	if len(o.Items) > 0 {
		items := make([]any, len(o.Items))
		for i, item := range o.Items {
			items[i] = map[string]any{
				"sku": item.SKU, "unit_price": fit.bytes(item.UnitPrice), "quantity": item.Quantity, "discount": fit.optional(item.Discount),
			}
		}
		native["items"] = map[string]any{"array": items}
	}
	if o.Amount != nil {
		native["amount"] = map[string]any{"bytes": fit.bytes(*o.Amount)}
	}
	if len(o.Coupons) > 0 {
		coupons := make([]any, len(o.Coupons))
		for i, coupon := range o.Coupons {
			coupons[i] = coupon
		}
		native["coupons"] = map[string]any{"array": coupons}
	}
	if o.Consent != nil {
		native["consent"] = map[string]any{"boolean": *o.Consent}
	}
	if len(o.Attributes) > 0 {
		attributes := make(map[string]any, len(o.Attributes))
		for _, attribute := range o.Attributes {
			attributes[attribute.Name] = attribute.Value
		}
		native["attributes"] = map[string]any{"map": attributes}
	}
	if fit.err != nil {
		return nil, fmt.Errorf("encode order as Avro: %w", fit.err)
	}
	return encodeAvro(orderConfirmed, schemaID, native)
}

// EncodeClick writes a click in Confluent's wire format with CJEventSchema, which the registry has under
// schemaID. The time is cut to the millisecond. Safe for concurrent use.
func EncodeClick(schemaID int, click Click) ([]byte, error) {
	return encodeAvro(cjEvent, schemaID, map[string]any{"cjevent": click.ID, "captured_at": click.CapturedAt.UnixMilli()})
}

func encodeAvro(schema func() (*avroSchema, error), schemaID int, native any) ([]byte, error) {
	compiled, err := schema()
	if err != nil {
		return nil, err
	}
	value, err := compiled.codec.BinaryFromNative(appendWireHeader(nil, schemaID), native)
	if err != nil {
		return nil, fmt.Errorf("encode as Avro: %w", err)
	}
	return value, nil
}

func optionalText(text string) any {
	if text == "" {
		return nil
	}
	return map[string]any{"string": text}
}

// decimalFit writes amounts as decimal(18,4) and keeps the first that does not fit.
type decimalFit struct{ err error }

func (f *decimalFit) optional(m Money) any {
	if m.IsZero() {
		return nil
	}
	return map[string]any{"bytes": f.bytes(m)}
}

func (f *decimalFit) bytes(m Money) []byte {
	shifted := m.amount.Shift(decimalScale)
	unscaled := shifted.BigInt()
	if !shifted.IsInteger() || unscaled.Sign() < 0 || len(unscaled.String()) > decimalPrecision {
		if f.err == nil {
			f.err = fmt.Errorf("amount %s does not fit decimal(%d,%d)", m, decimalPrecision, decimalScale)
		}
		return nil
	}
	// One byte more than the bits need leaves the sign bit clear.
	return unscaled.FillBytes(make([]byte, unscaled.BitLen()/8+1))
}
