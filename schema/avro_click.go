package schema

import (
	"slices"
	"time"
)

// click reads the click that a datum is. The error is an *InvalidError.
func (s *avroSchema) click(datum []byte, recordTime time.Time) (Click, error) {
	if s.flatClick {
		return readFlatClick(datum, s.root, recordTime)
	}
	native, err := s.decode(datum)
	if err != nil {
		return Click{}, err
	}
	return avroClick(native, s.root, recordTime)
}

// isFlatClick reports whether readFlatClick can read t: a record whose click fields are made of strings, longs and
// nulls. There must be no map anywhere, since only goavro finds that its keys repeat.
func (t *avroType) isFlatClick() bool {
	return t.kind == avroRecord && !t.mapped && !slices.ContainsFunc(t.fields, func(field avroField) bool {
		switch field.name {
		case "cjevent":
			return !field.of.isFlat(avroNull, avroString)
		case "captured_at":
			return !field.of.isFlat(avroNull, avroString, avroLong)
		}
		return false
	})
}

// isFlat reports whether t, or every member of the union that t is, is of one of the kinds.
func (t *avroType) isFlat(kinds ...avroKind) bool {
	for _, member := range t.members {
		if !member.isFlat(kinds...) {
			return false
		}
	}
	return t.kind == avroUnion || slices.Contains(kinds, t.kind)
}

// readFlatClick gives what avroSchema.decode and avroClick give together, in the one walk that checks the datum.
// goavro would build a map of boxed values for each of the millions of clicks that a table is restored from.
func readFlatClick(datum []byte, of *avroType, recordTime time.Time) (Click, error) {
	var id string
	var capturedAt time.Time
	var broken error                         // by a value; a datum that is broken as such goes first, wherever it is
	scan := avroScan{rest: datum, values: 1} // the record is a value too
	for i := range of.fields {
		field := &of.fields[i]
		value := avroScan{rest: scan.rest}
		if err := scan.datum(field.of); err != nil {
			return Click{}, inside(field.name, err)
		}
		switch {
		case broken != nil:
		case field.name == "cjevent":
			id, broken = value.text(field.of, topField("cjevent"))
		case field.name == "captured_at":
			capturedAt, broken = value.instant(field.of, topField("captured_at"))
		}
	}
	if err := scan.end(); err != nil {
		return Click{}, err
	}
	if broken != nil {
		return Click{}, clickInvalid(broken)
	}
	return newClick(id, capturedAt, recordTime)
}

// The readers below take the next value, which datum has found to be whole. The type must be flat.

// text is avroText.
func (s *avroScan) text(of *avroType, p path) (string, error) {
	if of = s.settle(of); of.kind == avroNull {
		return "", nil
	}
	return avroText(string(s.bytes()), of, p)
}

// instant is avroInstant.
func (s *avroScan) instant(of *avroType, p path) (time.Time, error) {
	switch of = s.settle(of); of.kind {
	case avroNull:
		return time.Time{}, nil
	case avroString:
		return avroInstant(string(s.bytes()), of, p)
	}
	value, _ := s.varint()
	return avroInstant(value, of, p)
}

// settle returns t, or the member of the union t that the next value is of.
func (s *avroScan) settle(t *avroType) *avroType {
	if t.kind != avroUnion {
		return t
	}
	member, _ := s.varint()
	return t.members[member]
}

// bytes returns the bytes of a string. They alias the record.
func (s *avroScan) bytes() []byte {
	size, _ := s.varint()
	return s.rest[:size]
}
