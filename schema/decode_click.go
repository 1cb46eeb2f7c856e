package schema

import (
	"context"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// newClick checks a click that was read and gives it the record's time where it has none of its own.
func newClick(id string, capturedAt, recordTime time.Time) (Click, error) {
	if err := ValidClickID(id); err != nil {
		return Click{}, clickInvalid(err)
	}
	if capturedAt.IsZero() {
		capturedAt = recordTime.UTC()
	}
	return Click{ID: id, CapturedAt: capturedAt}, nil
}

// clickInvalid is an error about the record for any cause, so that all malformed clicks count as one thing.
func clickInvalid(err error) error {
	return &InvalidError{Reason: ReasonClickInvalid, Err: err}
}

// decodeStringClick reads a bare click id. Its time is the record's.
func decodeStringClick(value []byte, recordTime time.Time) (Click, error) {
	return newClick(string(value), time.Time{}, recordTime)
}

// decodeJSONClick reads {"cjevent": …, "captured_at": …}. Unknown fields are ignored.
func decodeJSONClick(value []byte, recordTime time.Time) (Click, error) {
	read := jsonClick{}
	if err := unmarshalJSON(value, &read); err != nil {
		return Click{}, err
	}
	return newClick(read.id, read.capturedAt, recordTime)
}

type jsonClick struct {
	id         string
	capturedAt time.Time
}

// UnmarshalJSONFrom reads the next value of dec.
func (j *jsonClick) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	_, err := jsonMembers(dec, topField("click"), func(name []byte) (err error) {
		switch string(name) {
		case "cjevent":
			j.id, err = jsonText(dec, topField("cjevent"))
		case "captured_at":
			j.capturedAt, err = jsonInstant(dec, topField("captured_at"))
		default:
			err = dec.SkipValue()
		}
		return err
	})
	return err
}

// decodeAvroClick reads a click in Confluent's wire format.
func decodeAvroClick(ctx context.Context, registry *Registry, value []byte, recordTime time.Time) (Click, error) {
	id, datum, err := cutWireHeader(value)
	if err != nil {
		return Click{}, &InvalidError{Reason: ReasonMalformed, Err: err}
	}
	schema, err := registry.schema(ctx, id)
	if err != nil {
		return Click{}, err
	}
	return schema.click(datum, recordTime)
}

// avroClick reads a click out of a native datum of the writer's type.
func avroClick(native any, of *avroType, recordTime time.Time) (Click, error) {
	var id string
	var capturedAt time.Time
	native, of, err := avroRoot(native, of)
	if err != nil {
		return Click{}, err
	}
	err = avroFields(native, of, func(name string, native any, of *avroType) (err error) {
		switch name {
		case "cjevent":
			id, err = avroText(native, of, topField("cjevent"))
		case "captured_at":
			capturedAt, err = avroInstant(native, of, topField("captured_at"))
		}
		return err
	})
	if err != nil {
		return Click{}, clickInvalid(err)
	}
	return newClick(id, capturedAt, recordTime)
}
