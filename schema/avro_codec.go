package schema

import (
	"errors"
	"fmt"
	"sync"

	"github.com/linkedin/goavro/v2"
)

func init() {
	// goavro reserves memory for a whole block before it looks at the data, by default for up to 2^31-1
	// elements: five bytes then end the process. Java writes a list of any length as one block, so the limit
	// is our own for a list. scanAvro has refused more before goavro sees it; this is the second lock.
	goavro.MaxBlockCount = maxElements
	goavro.MaxBlockSize = maxAvroFixed
}

// avroSchema is a writer's schema, ready to decode with. Immutable; safe for concurrent use.
type avroSchema struct {
	root  *avroType
	codec *goavro.Codec
	// flatClick says that clicks are read without the codec.
	flatClick bool
}

// compileAvro reads and checks a schema and builds its codec. The error says why the schema cannot be used.
func compileAvro(text string) (*avroSchema, error) {
	root, err := parseAvro(text)
	if err != nil {
		return nil, err
	}
	codec, err := newCodec(string(root.appendPlain(nil, map[string]bool{})))
	if err != nil {
		return nil, err
	}
	return &avroSchema{root, codec, root.isFlatClick()}, nil
}

// goavro keeps compiled patterns in a map without a lock.
var newCodecMutex sync.Mutex

// newCodec is goavro.NewCodec, which panics on some legal schemas, as an error and one at a time.
func newCodec(schema string) (codec *goavro.Codec, err error) {
	newCodecMutex.Lock()
	defer newCodecMutex.Unlock()
	defer func() {
		if cause := recover(); cause != nil {
			codec, err = nil, fmt.Errorf("goavro cannot read the schema: %v", cause)
		}
	}()
	codec, err = goavro.NewCodec(schema)
	if err != nil {
		return nil, fmt.Errorf("goavro cannot read the schema: %w", err)
	}
	return codec, nil
}

// decode returns the one datum that value is, in goavro's native form: see avroType.settle for unions. Bytes
// in it alias value. The error is an *InvalidError.
func (s *avroSchema) decode(value []byte) (native any, err error) {
	if err := scanAvro(s.root, value); err != nil {
		return nil, err
	}
	defer func() {
		if cause := recover(); cause != nil {
			native, err = nil, &InvalidError{Reason: ReasonMalformed, Err: fmt.Errorf("goavro cannot decode the record: %v", cause)}
		}
	}()
	native, rest, err := s.codec.NativeFromBinary(value)
	if err != nil || len(rest) > 0 {
		// goavro's own text would show keys and values.
		return nil, &InvalidError{Reason: ReasonMalformed, Err: errors.New("goavro cannot decode the record: a map repeats a key")}
	}
	return native, nil
}
