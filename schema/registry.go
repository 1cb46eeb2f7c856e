package schema

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/sync/singleflight"
)

const (
	// registryTimeout bounds one request to the registry.
	registryTimeout = 5 * time.Second
	// unknownIDTime is how long an id that the registry does not know is not asked for again. A record can
	// arrive before its schema has reached every node of the registry.
	unknownIDTime = 10 * time.Second
	// maxUnknownIDs bounds the memory that records with made-up ids can take.
	maxUnknownIDs = 1_000
	// codeSchemaNotFound is the registry's own code for an unknown id. A 404 without it is a wrong URL or a
	// proxy's, and says nothing about the record.
	codeSchemaNotFound = 40403
)

// SchemaSource gives the schema that a registry has under an id. *sr.Client of franz-go is one.
type SchemaSource interface {
	SchemaByID(ctx context.Context, id int) (sr.Schema, error)
}

// Registry keeps the schemas that records were written with, by their id. An id never changes its meaning, so
// a schema is asked for once and goes on working while the registry is away. Safe for concurrent use.
type Registry struct {
	source SchemaSource
	flight singleflight.Group

	mu sync.RWMutex
	// known holds every id's schema or why it cannot be used. It grows no further than the registry itself.
	known map[int]compiled
	// unknown holds until when an id is not asked for again.
	unknown map[int]time.Time
}

type compiled struct {
	schema *avroSchema
	err    error // an *InvalidError
}

// NewRegistry returns a registry that asks source. It does no retries: the caller backs off and tries again.
func NewRegistry(source SchemaSource) *Registry {
	return &Registry{source: source, known: map[int]compiled{}, unknown: map[int]time.Time{}}
}

// schema returns the schema under id. The error is an *InvalidError with ReasonUnknownSchema when there is none
// that records can be decoded with, or errors.Is(err, ErrUnavailable) when the registry could not be asked.
func (r *Registry) schema(ctx context.Context, id int) (*avroSchema, error) {
	r.mu.RLock()
	known, ok := r.known[id]
	until, isUnknown := r.unknown[id]
	r.mu.RUnlock()
	switch {
	case ok:
		return known.schema, known.err
	case isUnknown && time.Now().Before(until):
		return nil, unknownID(id)
	case id < 0 || id > math.MaxInt32:
		// The registry would answer with a 404 that is not its own, as if it were away for ever.
		return nil, unknownID(id)
	}

	// One caller's request serves all that wait for the id, so it must outlive that caller.
	answer := r.flight.DoChan(strconv.Itoa(id), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), registryTimeout)
		defer cancel()
		return r.ask(ctx, id)
	})
	select {
	case result := <-answer:
		schema, _ := result.Val.(*avroSchema)
		return schema, result.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: gave up waiting for schema id %d: %w", ErrUnavailable, id, ctx.Err())
	}
}

// ask requests one schema and remembers every answer that is about the id.
func (r *Registry) ask(ctx context.Context, id int) (*avroSchema, error) {
	answer, err := r.source.SchemaByID(ctx, id)
	if response, ok := errors.AsType[*sr.ResponseError](err); ok && response.ErrorCode == codeSchemaNotFound {
		r.mu.Lock()
		defer r.mu.Unlock()
		if len(r.unknown) >= maxUnknownIDs {
			clear(r.unknown)
		}
		r.unknown[id] = time.Now().Add(unknownIDTime)
		return nil, unknownID(id)
	}
	if err != nil || answer.Schema == "" {
		return nil, fmt.Errorf("%w: schema id %d: %w", ErrUnavailable, id, registryCause(err))
	}
	result := compileAnswer(id, answer)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unknown, id)
	r.known[id] = result
	return result.schema, result.err
}

func compileAnswer(id int, answer sr.Schema) compiled {
	var schema *avroSchema
	var err error
	switch {
	case answer.Type != sr.TypeAvro:
		err = fmt.Errorf("is a %s schema; only Avro is supported", answer.Type)
	case len(answer.References) > 0:
		err = errors.New("refers to other schemas, which is not supported; register it with its types inlined")
	default:
		schema, err = compileAvro(answer.Schema)
	}
	if err != nil {
		return compiled{err: &InvalidError{Reason: ReasonUnknownSchema, Err: fmt.Errorf("schema id %d: %w", id, err)}}
	}
	return compiled{schema: schema}
}

func unknownID(id int) error {
	return &InvalidError{Reason: ReasonUnknownSchema, Err: fmt.Errorf("schema id %d is not in the registry; "+
		"was the record written with another registry, or not in Confluent's wire format?", id)}
}

// registryCause says why the registry could not be asked, nil being an answer without a schema. The client's
// own text holds the registry's URL, in which some put a password, and whatever page a proxy answered with.
func registryCause(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s", registryTimeout)
	}
	if response, ok := errors.AsType[*sr.ResponseError](err); ok {
		return fmt.Errorf("HTTP status %d, error code %d", response.StatusCode, response.ErrorCode)
	}
	if request, ok := errors.AsType[*url.Error](err); ok {
		return request.Err
	}
	return errors.New("the answer is not a registry's JSON; is the URL right?")
}

// decode reads a value in Confluent's wire format. See avroSchema.decode for the native datum and the error.
func (r *Registry) decode(ctx context.Context, value []byte) (native any, of *avroType, err error) {
	id, datum, err := cutWireHeader(value)
	if err != nil {
		return nil, nil, &InvalidError{Reason: ReasonMalformed, Err: err}
	}
	schema, err := r.schema(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	native, err = schema.decode(datum)
	return native, schema.root, err
}
