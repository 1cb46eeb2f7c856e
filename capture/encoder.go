package capture

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/schema"
)

// Encoder turns a click into the value of its record. The error is for a set-up that does not work yet, such as a
// registry that is away: the click waits in the spool and is tried again. It is called by one goroutine.
type Encoder func(ctx context.Context, click schema.Click) ([]byte, error)

// Registry is what FormatAvro needs of a schema registry. *sr.Client of franz-go is one.
type Registry interface {
	LookupSchema(ctx context.Context, subject string, schema sr.Schema) (sr.SubjectSchema, error)
	CreateSchema(ctx context.Context, subject string, schema sr.Schema) (sr.SubjectSchema, error)
}

// NewEncoder returns the encoder of a format of package schema: FormatAvro, which needs a registry, FormatJSON or
// FormatString. The topic's subject in the registry is its name with "-value". A schema that is there already is not
// written, so that permission to read does.
func NewEncoder(format, topic string, registry Registry) (Encoder, error) {
	switch format {
	case schema.FormatString:
		return func(_ context.Context, click schema.Click) ([]byte, error) { return []byte(click.ID), nil }, nil
	case schema.FormatJSON:
		return func(_ context.Context, click schema.Click) ([]byte, error) { return encodeJSON(click) }, nil
	case schema.FormatAvro:
		if registry == nil {
			return nil, fmt.Errorf("format %q: needs a schema registry", format)
		}
		return (&avroEncoder{registry: registry, subject: topic + "-value"}).encode, nil
	}
	return nil, fmt.Errorf("click format %s: must be %q, %q or %q", schema.Quoted(format), schema.FormatAvro, schema.FormatJSON, schema.FormatString)
}

func encodeJSON(click schema.Click) ([]byte, error) {
	value, err := jsontext.AppendQuote([]byte(`{"cjevent":`), click.ID)
	if err != nil {
		return nil, fmt.Errorf("encode click as JSON: %w", err)
	}
	value = append(value, `,"captured_at":"`...)
	value = click.CapturedAt.UTC().AppendFormat(value, "2006-01-02T15:04:05.000Z07:00")
	return append(value, `"}`...), nil
}

// avroEncoder asks the registry for the schema's id once, when the first click needs it.
type avroEncoder struct {
	registry Registry
	subject  string
	id       atomic.Int64
}

func (e *avroEncoder) encode(ctx context.Context, click schema.Click) ([]byte, error) {
	if e.id.Load() == 0 {
		if err := e.find(ctx); err != nil {
			return nil, err
		}
	}
	return schema.EncodeClick(int(e.id.Load()), click)
}

// The registry's own codes for a subject, or a schema under it, that is not there (docs.confluent.io, Schema Registry
// API). A 404 without them is a wrong address, where nothing must be written.
const (
	codeSubjectNotFound = 40401
	codeSchemaNotFound  = 40403
)

func (e *avroEncoder) find(ctx context.Context) error {
	click := sr.Schema{Schema: schema.CJEventSchema}
	found, err := e.registry.LookupSchema(ctx, e.subject, click)
	if answer, ok := errors.AsType[*sr.ResponseError](err); ok && (answer.ErrorCode == codeSubjectNotFound || answer.ErrorCode == codeSchemaNotFound) {
		found, err = e.registry.CreateSchema(ctx, e.subject, click)
	}
	if err != nil {
		// The client's own text holds the registry's address, in which some put a password.
		if answer, ok := errors.AsType[*sr.ResponseError](err); ok {
			err = errors.New("HTTP status " + strconv.Itoa(answer.StatusCode) + ", error code " + strconv.Itoa(answer.ErrorCode))
		} else {
			err = errors.New("no answer")
		}
		return fmt.Errorf("%w: subject %s: %w", schema.ErrUnavailable, e.subject, err)
	}
	e.id.Store(int64(found.ID))
	return nil
}
