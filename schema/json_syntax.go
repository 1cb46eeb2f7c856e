package schema

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// unmarshalJSON reads one JSON object and nothing behind it. The error is an *InvalidError: a field that breaks
// a rule, or bytes that are no object at all.
func unmarshalJSON(value []byte, into json.UnmarshalerFrom) error {
	if value[0] == 0 {
		return jsonMalformed(errors.New("not JSON: it starts with a zero byte like Confluent's wire format; is the format json right?"))
	}
	if trimmed := bytes.TrimLeft(value, " \t\r\n"); len(trimmed) > 0 && trimmed[0] != '{' {
		return jsonMalformed(errors.New("not a JSON object"))
	}
	err := json.Unmarshal(value, into)
	if err == nil {
		return nil
	}
	if field, ok := errors.AsType[*FieldError](err); ok {
		return &InvalidError{Reason: ReasonInvalidOrder, Err: field}
	}
	return jsonMalformed(jsonSyntax(err))
}

func jsonMalformed(err error) error { return &InvalidError{Reason: ReasonMalformed, Err: err} }

// jsonSyntax says why bytes are no JSON, by position only. The library's own text shows the path to the
// place, and a path can hold a shopper's data.
func jsonSyntax(err error) error {
	syntax, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("not JSON: the value ends early")
	case ok && errors.Is(err, jsontext.ErrDuplicateName):
		return fmt.Errorf("not JSON: a name repeats inside one object, at byte %d", syntax.ByteOffset)
	case ok:
		return fmt.Errorf("not JSON: %w at byte %d", syntax.Err, syntax.ByteOffset)
	}
	if semantic, ok := errors.AsType[*json.SemanticError](err); ok {
		return fmt.Errorf("JSON of the wrong kind at byte %d: %s does not fit", semantic.ByteOffset, semantic.JSONKind)
	}
	return errors.New("not JSON")
}
