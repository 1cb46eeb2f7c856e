package schema

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The formats of a topic's values.
const (
	// FormatAvro is Avro in Confluent's wire format, with a registry.
	FormatAvro = "avro"
	// FormatJSON is the canonical JSON.
	FormatJSON = "json"
	// FormatString is a bare click id. Orders have no such format.
	FormatString = "string"
)

// MaxBytesDefault is the largest value that a decoder reads unless MaxBytes says otherwise, in bytes. It is
// also Kafka's own default for a record.
const MaxBytesDefault = 1 << 20

// OrderDecoder turns the value of an order record into an order that obeys every rule of the canonical form.
// It may be called by many goroutines at once, and the order does not alias value.
//
// The error is an *InvalidError when this record can never become an order, and errors.Is(err, ErrUnavailable)
// when the schema registry could not be asked: then the same record must be tried again.
type OrderDecoder func(ctx context.Context, value []byte) (*Order, error)

// ClickDecoder turns the value of a click record into a click. A click that does not say when it was caught
// takes recordTime, the record's own timestamp. It may be called by many goroutines at once, and the click
// does not alias value. Tombstones are the caller's business: a null value is an error here.
//
// The error is an *InvalidError with ReasonClickInvalid when this record can never become a click, and
// errors.Is(err, ErrUnavailable) when the schema registry could not be asked.
type ClickDecoder func(ctx context.Context, value []byte, recordTime time.Time) (Click, error)

// DecodeOption changes how a decoder reads.
type DecodeOption func(*decodeLimits)

type decodeLimits struct{ maxBytes int }

// MaxBytes sets the largest value that is read, in bytes. It must be positive. Defaults to MaxBytesDefault.
func MaxBytes(limit int) DecodeOption {
	return func(l *decodeLimits) { l.maxBytes = limit }
}

// NewOrderDecoder returns the decoder for orders in FormatAvro or FormatJSON. Avro needs a registry, JSON
// takes nil. Another format, a missing registry or a limit that is not positive is an error.
func NewOrderDecoder(format string, registry *Registry, options ...DecodeOption) (OrderDecoder, error) {
	limits, err := newLimits(format, registry, options)
	if err != nil {
		return nil, err
	}
	switch format {
	case FormatJSON:
		return func(_ context.Context, value []byte) (*Order, error) {
			if err := limits.check(value); err != nil {
				return nil, err
			}
			return decodeJSONOrder(value)
		}, nil
	case FormatAvro:
		return func(ctx context.Context, value []byte) (*Order, error) {
			if err := limits.check(value); err != nil {
				return nil, err
			}
			native, of, err := registry.decode(ctx, value)
			if err != nil {
				return nil, err
			}
			return avroOrder(native, of)
		}, nil
	}
	return nil, fmt.Errorf("order format %s: must be %q or %q", Quoted(format), FormatAvro, FormatJSON)
}

// NewClickDecoder returns the decoder for clicks in FormatAvro, FormatJSON or FormatString. Avro needs a
// registry, the others take nil. Another format, a missing registry or a limit that is not positive is an error.
func NewClickDecoder(format string, registry *Registry, options ...DecodeOption) (ClickDecoder, error) {
	limits, err := newLimits(format, registry, options)
	if err != nil {
		return nil, err
	}
	var decode ClickDecoder
	switch format {
	case FormatString:
		decode = func(_ context.Context, value []byte, recordTime time.Time) (Click, error) {
			return decodeStringClick(value, recordTime)
		}
	case FormatJSON:
		decode = func(_ context.Context, value []byte, recordTime time.Time) (Click, error) {
			return decodeJSONClick(value, recordTime)
		}
	case FormatAvro:
		decode = func(ctx context.Context, value []byte, recordTime time.Time) (Click, error) {
			return decodeAvroClick(ctx, registry, value, recordTime)
		}
	default:
		return nil, fmt.Errorf("click format %s: must be %q, %q or %q", Quoted(format), FormatAvro, FormatJSON, FormatString)
	}
	return func(ctx context.Context, value []byte, recordTime time.Time) (Click, error) {
		if err := limits.check(value); err != nil {
			return Click{}, clickInvalid(err)
		}
		click, err := decode(ctx, value, recordTime)
		if invalid, ok := errors.AsType[*InvalidError](err); ok && invalid.Reason != ReasonClickInvalid {
			return Click{}, clickInvalid(err)
		}
		return click, err
	}, nil
}

func newLimits(format string, registry *Registry, options []DecodeOption) (decodeLimits, error) {
	limits := decodeLimits{maxBytes: MaxBytesDefault}
	for _, option := range options {
		option(&limits)
	}
	if limits.maxBytes <= 0 {
		return limits, fmt.Errorf("decoder's MaxBytes %d: must be positive", limits.maxBytes)
	}
	if format == FormatAvro && registry == nil {
		return limits, fmt.Errorf("format %q: needs a schema registry", format)
	}
	return limits, nil
}

// check refuses values that no decoder should look into.
func (l decodeLimits) check(value []byte) error {
	var err error
	switch {
	case value == nil:
		err = errors.New("value is null")
	case len(value) == 0:
		err = errors.New("value is empty")
	case len(value) > l.maxBytes:
		err = fmt.Errorf("value of %d bytes: must be at most %d", len(value), l.maxBytes)
	default:
		return nil
	}
	return &InvalidError{Reason: ReasonMalformed, Err: err}
}
