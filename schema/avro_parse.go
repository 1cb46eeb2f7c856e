package schema

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
)

const (
	// maxAvroSchema is how long a schema's text may be.
	maxAvroSchema = 1 << 20
	// maxAvroDepth is how deep types may be nested. goavro's decoder is recursive.
	maxAvroDepth = 32
	// maxAvroValues is how many single values one datum may have by its schema alone. A few records that hold
	// each other ten times make billions out of no bytes at all.
	maxAvroValues = 10_000
	// maxAvroFixed is how long a fixed may be. No record is longer than a few MiB.
	maxAvroFixed = 1 << 20
)

// parseAvro reads a writer's schema and refuses every one that could make decoding fail in a way that cannot
// be caught: recursive types and deep nesting (the stack), lists of values without bytes and types that
// multiply (memory and time). The error says what in the schema is refused.
func parseAvro(text string) (*avroType, error) {
	if len(text) > maxAvroSchema {
		return nil, fmt.Errorf("schema of %d bytes: must be at most %d", len(text), maxAvroSchema)
	}
	var schema any
	if err := json.Unmarshal([]byte(text), &schema); err != nil {
		return nil, fmt.Errorf("schema: %w", jsonSyntax(err))
	}
	parser := avroParser{named: map[string]*avroType{}, open: map[*avroType]bool{}}
	return parser.parse(schema, "", 1)
}

type avroParser struct {
	named map[string]*avroType // by full name
	open  map[*avroType]bool   // whose definition is being read
}

// parse reads one type at the given depth, inside the given namespace.
func (p *avroParser) parse(schema any, namespace string, depth int) (*avroType, error) {
	if depth > maxAvroDepth {
		return nil, fmt.Errorf("types nested deeper than %d", maxAvroDepth)
	}
	switch schema := schema.(type) {
	case string:
		return p.parseName(schema, namespace, depth)
	case []any:
		return p.parseUnion(schema, namespace, depth)
	case map[string]any:
		return p.parseObject(schema, namespace, depth)
	}
	return nil, errors.New("a type must be a name, a list of types or an object")
}

func (p *avroParser) parseName(name, namespace string, depth int) (*avroType, error) {
	if kind, ok := avroPrimitive(name); ok {
		return &avroType{kind: kind, height: 1, values: 1, empty: kind == avroNull}, nil
	}
	known, ok := p.named[fullName(name, namespace)]
	if !ok {
		known, ok = p.named[name]
	}
	switch {
	case !ok:
		return nil, fmt.Errorf("unknown type %s; schema references are not supported, register the schema with its types inlined", Quoted(name))
	case p.open[known]:
		return nil, fmt.Errorf("type %s contains itself; recursive schemas are not supported", Quoted(name))
	case depth+known.height-1 > maxAvroDepth:
		return nil, fmt.Errorf("types nested deeper than %d", maxAvroDepth)
	}
	return known, nil
}

func (p *avroParser) parseUnion(members []any, namespace string, depth int) (*avroType, error) {
	if len(members) == 0 {
		return nil, errors.New("a union must have members")
	}
	union := &avroType{kind: avroUnion, height: 1, values: 1}
	seen := map[string]bool{}
	for _, member := range members {
		of, err := p.parse(member, namespace, depth+1)
		if err != nil {
			return nil, err
		}
		if of.kind == avroUnion || seen[of.key()] {
			return nil, errors.New("a union must not hold a union or one type twice")
		}
		seen[of.key()] = true
		union.members = append(union.members, of)
		// One member is there at a time, yet the sum is a bound that costs nothing to keep.
		if err := union.contain(of); err != nil {
			return nil, err
		}
	}
	return union, nil
}

func (p *avroParser) parseObject(schema map[string]any, namespace string, depth int) (*avroType, error) {
	name, ok := schema["type"].(string)
	if !ok {
		// {"type": {...}} and {"type": [...]} are the type inside.
		if schema["type"] == nil {
			return nil, errors.New("a type object must have a type")
		}
		return p.parse(schema["type"], namespace, depth+1)
	}
	switch kind := avroKind(name); kind {
	case avroRecord, avroEnum, avroFixed:
		return p.parseNamed(kind, schema, namespace, depth)
	case avroArray, avroMap:
		return p.parseList(kind, schema, namespace, depth)
	}
	of, err := p.parseName(name, namespace, depth)
	if err == nil && of.alias == "" {
		of.addLogical(schema)
	}
	return of, err
}

func (p *avroParser) parseList(kind avroKind, schema map[string]any, namespace string, depth int) (*avroType, error) {
	property := "items"
	if kind == avroMap {
		property = "values"
	}
	if schema[property] == nil {
		return nil, fmt.Errorf("%s without %s", kind, property)
	}
	element, err := p.parse(schema[property], namespace, depth+1)
	if err != nil {
		return nil, err
	}
	if kind == avroArray && element.empty {
		return nil, errors.New("array of values that take no bytes: a few bytes could hold billions of them")
	}
	list := &avroType{kind: kind, element: element, height: 1, values: 1, mapped: kind == avroMap}
	return list, list.contain(element)
}

func (p *avroParser) parseNamed(kind avroKind, schema map[string]any, namespace string, depth int) (*avroType, error) {
	name, _ := schema["name"].(string)
	if name == "" {
		return nil, fmt.Errorf("%s without a name", kind)
	}
	if own, ok := schema["namespace"].(string); ok {
		namespace = own
	}
	full := fullName(name, namespace)
	if p.named[full] != nil {
		return nil, fmt.Errorf("type %s is defined twice", Quoted(full))
	}
	named := &avroType{kind: kind, alias: "type" + strconv.Itoa(len(p.named)), height: 1, values: 1}
	p.named[full] = named
	p.open[named] = true
	defer delete(p.open, named)

	switch kind {
	case avroRecord:
		namespace = full[:max(0, strings.LastIndexByte(full, '.'))]
		return named, p.parseFields(named, full, schema["fields"], namespace, depth)
	case avroEnum:
		symbols, _ := schema["symbols"].([]any)
		for _, symbol := range symbols {
			text, _ := symbol.(string)
			named.symbols = append(named.symbols, text)
		}
		if len(named.symbols) == 0 {
			return nil, fmt.Errorf("enum %s without symbols", Quoted(full))
		}
	case avroFixed:
		size, _ := schema["size"].(float64)
		if size < 1 || size > maxAvroFixed || size != math.Trunc(size) {
			return nil, fmt.Errorf("fixed %s: size must be a whole number from 1 to %d", Quoted(full), maxAvroFixed)
		}
		named.size = int(size)
		named.addLogical(schema)
	}
	return named, nil
}

func (p *avroParser) parseFields(record *avroType, full string, fields any, namespace string, depth int) error {
	list, ok := fields.([]any)
	if !ok {
		return fmt.Errorf("record %s without fields", Quoted(full))
	}
	record.empty = true
	seen := map[string]bool{}
	for _, element := range list {
		field, _ := element.(map[string]any)
		name, _ := field["name"].(string)
		if name == "" || seen[name] || field["type"] == nil {
			return fmt.Errorf("record %s: every field must have a type and a name of its own", Quoted(full))
		}
		seen[name] = true
		// A logicalType beside the field's type and not inside it says nothing, in Java neither.
		of, err := p.parse(field["type"], namespace, depth+1)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", full, name, err)
		}
		record.fields = append(record.fields, avroField{name, of})
		record.empty = record.empty && of.empty
		if err := record.contain(of); err != nil {
			return err
		}
	}
	return nil
}

// contain counts a type that t holds, and refuses types that multiply.
func (t *avroType) contain(of *avroType) error {
	t.mapped = t.mapped || of.mapped
	t.height = max(t.height, of.height+1)
	if t.values += of.values; t.values > maxAvroValues {
		return fmt.Errorf("one datum has more than %d values", maxAvroValues)
	}
	return nil
}

// addLogical notes a logical type that is valid here. As Avro asks, one that is not is no logical type.
func (t *avroType) addLogical(schema map[string]any) {
	switch logical, _ := schema["logicalType"].(string); {
	case logical == logicalDecimal && (t.kind == avroBytes || t.kind == avroFixed):
		precision, _ := schema["precision"].(float64)
		scale, isNumber := schema["scale"].(float64)
		if schema["scale"] != nil && !isNumber {
			return
		}
		if precision < 1 || precision > math.MaxInt32 || scale < 0 || scale > precision || scale != math.Trunc(scale) {
			return
		}
		t.logical, t.scale = logical, int(scale)
	case t.kind == avroLong && (logical == logicalMillis || logical == logicalMicros || logical == logicalNanos):
		t.logical = logical
	}
}

func avroPrimitive(name string) (avroKind, bool) {
	switch kind := avroKind(name); kind {
	case avroNull, avroBoolean, avroInt, avroLong, avroFloat, avroDouble, avroBytes, avroString:
		return kind, true
	}
	return "", false
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}
