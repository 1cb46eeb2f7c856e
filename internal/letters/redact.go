package letters

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cjrelay/cjrelay/schema"
)

// shownFields are the fields of an order whose values a letter shows. Whatever else a platform puts into its orders
// may be anybody's name, address or telephone number.
var shownFields = map[string]bool{
	"order_id": true, "session_id": true, "confirmed_at": true, "currency": true, "items": true, "discount": true, "amount": true,
	"coupons": true, "customer_status": true, "customer_country": true, "action": true, "consent": true,
	"attributes": true, "items.sku": true, "items.unit_price": true, "items.quantity": true, "items.discount": true,
}

// Redacted is the JSON of an order, indented, as people may see it: without click ids and e-mail addresses, without
// the values of attributes and of fields that are not the canonical form's, of which only the length is told. Bytes
// that are no JSON are told by their number only: nobody can say what is in them.
func Redacted(value []byte) string {
	var out strings.Builder
	decoder := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	r := redaction{decoder: decoder, out: &out}
	if err := r.value("", decoder.PeekKind() == '{', "\n"); err != nil {
		return fmt.Sprintf("(%d bytes that are not JSON)", len(value))
	}
	if decoder.PeekKind() != 0 {
		return fmt.Sprintf("(%d bytes, with more behind the JSON)", len(value))
	}
	return out.String()
}

// Shown is an order's value as people may see it, in whichever format. Avro that is no valid order cannot be shown:
// then its schema's id is told.
func Shown(ctx context.Context, decode schema.OrderDecoder, format string, value []byte) string {
	if format != schema.FormatAvro {
		return Redacted(value)
	}
	order, err := decode(ctx, value)
	if err == nil {
		if text, err := order.MarshalJSON(); err == nil {
			return Redacted(text)
		}
	}
	if len(value) < 5 || value[0] != 0 {
		return fmt.Sprintf("(%d bytes that do not begin as Avro with a schema id)", len(value))
	}
	return fmt.Sprintf("(%d bytes of Avro with schema id %d)", len(value), binary.BigEndian.Uint32(value[1:5]))
}

// redaction writes what it reads.
type redaction struct {
	decoder *jsontext.Decoder
	out     *strings.Builder
}

// value copies the next value, which is in the field of that path, behind a line break with its indentation.
func (r redaction) value(path string, shown bool, indent string) error {
	switch r.decoder.PeekKind() {
	case '{':
		return r.object(path, shown, indent)
	case '[':
		return r.list(path, shown, indent)
	}
	value, err := r.decoder.ReadValue()
	if err != nil {
		return err
	}
	switch {
	case value.Kind() == '"':
		text, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return err
		}
		if shown {
			r.out.WriteString(schema.Quoted(string(text)))
		} else {
			r.out.WriteString(schema.Hidden(string(text), nil))
		}
	case shown || value.Kind() != '0':
		r.out.Write(value)
	default:
		r.out.WriteString(schema.Hidden(string(value), nil))
	}
	return nil
}

func (r redaction) object(path string, shown bool, indent string) error {
	return r.inside('{', '}', indent, func(deeper string) error {
		value, err := r.decoder.ReadValue()
		if err != nil {
			return err
		}
		name, err := jsontext.AppendUnquote(nil, value)
		if err != nil {
			return err
		}
		field := strings.TrimPrefix(path+"."+string(name), ".")
		r.out.WriteString(shownKey(string(name)) + ": ")
		return r.value(field, shown && shownFields[field], deeper)
	})
}

// longestName is more than names of fields have, and less than a click id.
const longestName = 30

// shownKey is the name of a member. It may be anything where it is the key of somebody's map.
func shownKey(name string) string {
	if len(name) > longestName {
		return schema.Hidden(name, nil)
	}
	return schema.Quoted(name)
}

func (r redaction) list(path string, shown bool, indent string) error {
	return r.inside('[', ']', indent, func(deeper string) error { return r.value(path, shown, deeper) })
}

// inside copies what is between two delimiters, one member a line.
func (r redaction) inside(opening, closing byte, indent string, member func(indent string) error) error {
	if _, err := r.decoder.ReadToken(); err != nil {
		return err
	}
	r.out.WriteByte(opening)
	deeper := indent + "  "
	separator := deeper
	for {
		kind := r.decoder.PeekKind()
		if kind == jsontext.Kind(closing) {
			break
		}
		r.out.WriteString(separator)
		if err := member(deeper); err != nil {
			return err
		}
		separator = "," + deeper
	}
	if separator != deeper {
		r.out.WriteString(indent)
	}
	r.out.WriteByte(closing)
	_, err := r.decoder.ReadToken()
	return err
}
