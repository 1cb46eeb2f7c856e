package schema

import "strconv"

// avroKind is one of Avro's types.
type avroKind string

const (
	avroNull    avroKind = "null"
	avroBoolean avroKind = "boolean"
	avroInt     avroKind = "int"
	avroLong    avroKind = "long"
	avroFloat   avroKind = "float"
	avroDouble  avroKind = "double"
	avroBytes   avroKind = "bytes"
	avroString  avroKind = "string"
	avroFixed   avroKind = "fixed"
	avroEnum    avroKind = "enum"
	avroArray   avroKind = "array"
	avroMap     avroKind = "map"
	avroUnion   avroKind = "union"
	avroRecord  avroKind = "record"
)

// The logical types that mean something to us. goavro is never told of any: it would build a rational number
// where we need digits, and it cannot build two decimals without a scale or two unlike decimals in a union.
const (
	logicalDecimal = "decimal"
	logicalMillis  = "timestamp-millis"
	logicalMicros  = "timestamp-micros"
	logicalNanos   = "timestamp-nanos"
)

// avroType is one type of a writer's schema, read and checked by us. Immutable once parsed.
type avroType struct {
	kind avroKind
	// alias replaces the name of a record, enum or fixed in the schema that goavro gets. The writer's own
	// names may be words that goavro takes for its types.
	alias string
	// logical is one of the logical types above where it is valid on this kind, else empty.
	logical string
	scale   int         // of a decimal
	size    int         // of a fixed
	symbols []string    // of an enum
	element *avroType   // of an array or map
	members []*avroType // of a union
	fields  []avroField // of a record

	// height is how many types are nested here at most, 1 for a primitive. values is how many single values one
	// datum has with empty lists; it grows exponentially where records repeat inside records.
	height, values int
	// empty says that a datum takes no bytes at all, so that a list of any length takes none either.
	empty bool
	// mapped says that there is a map here or further inside. The scan does not see whether its keys repeat.
	mapped bool
}

type avroField struct {
	name string
	of   *avroType
}

// key is what goavro calls this type where it is a member of a union.
func (t *avroType) key() string {
	if t.alias != "" {
		return t.alias
	}
	return string(t.kind)
}

// settle unwraps the member of a union that a datum has: its native value and type. Null is nil, nil.
func (t *avroType) settle(native any) (any, *avroType) {
	if t.kind == avroNull {
		return nil, nil
	}
	if t.kind != avroUnion {
		return native, t
	}
	// Looking up each member is faster than ranging over a map of one.
	wrapped, _ := native.(map[string]any)
	for _, member := range t.members {
		if value, ok := wrapped[member.key()]; ok {
			return value, member
		}
	}
	return nil, nil
}

// appendPlain appends the schema for goavro: the same binary encoding, without logical types, defaults,
// documentation and the writer's names. Defaults that fit no branch, which Java lets pass, do not matter then.
func (t *avroType) appendPlain(dst []byte, defined map[string]bool) []byte {
	if t.alias != "" {
		if defined[t.alias] {
			return strconv.AppendQuote(dst, t.alias)
		}
		defined[t.alias] = true
		dst = append(dst, `{"type":"`+string(t.kind)+`","name":"`+t.alias+`"`...)
	}
	switch t.kind {
	case avroRecord:
		dst = append(dst, `,"fields":[`...)
		for i, field := range t.fields {
			dst = appendComma(dst, i)
			dst = append(strconv.AppendQuote(append(dst, `{"name":`...), field.name), `,"type":`...)
			dst = append(field.of.appendPlain(dst, defined), '}')
		}
		return append(dst, "]}"...)
	case avroEnum:
		dst = append(dst, `,"symbols":[`...)
		for i, symbol := range t.symbols {
			dst = strconv.AppendQuote(appendComma(dst, i), symbol)
		}
		return append(dst, "]}"...)
	case avroFixed:
		return append(strconv.AppendInt(append(dst, `,"size":`...), int64(t.size), 10), '}')
	case avroArray:
		return append(t.element.appendPlain(append(dst, `{"type":"array","items":`...), defined), '}')
	case avroMap:
		return append(t.element.appendPlain(append(dst, `{"type":"map","values":`...), defined), '}')
	case avroUnion:
		dst = append(dst, '[')
		for i, member := range t.members {
			dst = member.appendPlain(appendComma(dst, i), defined)
		}
		return append(dst, ']')
	}
	return strconv.AppendQuote(dst, string(t.kind))
}

func appendComma(dst []byte, i int) []byte {
	if i > 0 {
		return append(dst, ',')
	}
	return dst
}
