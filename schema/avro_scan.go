package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// maxAvroScan bounds the single values in one record. goavro spends up to 350 bytes on a value of one byte, so
// this is a bound on its memory: about 70 MB for the worst record anybody could write.
const maxAvroScan = 200_000

// avroScan walks over an encoded datum before goavro does, allocating nothing. goavro believes what it reads:
// it reserves memory for as many elements as a block announces, takes a varint of any length, and skips no
// block by its size. Whatever passes here it decodes in memory and time that the record's size bounds.
type avroScan struct {
	rest   []byte
	values int
}

// scanAvro checks that value is exactly one datum of type t. The error is an *InvalidError naming the field.
func scanAvro(t *avroType, value []byte) error {
	scan := avroScan{rest: value}
	if err := scan.datum(t); err != nil {
		if field, ok := errors.AsType[*FieldError](err); ok && field.Field == "" {
			field.Field = "value"
		}
		return err
	}
	return scan.end()
}

// end demands that nothing is left.
func (s *avroScan) end() error {
	if len(s.rest) > 0 {
		return &InvalidError{Reason: ReasonMalformed, Err: fmt.Errorf("%d bytes are left after the datum; "+
			"was it written with another schema than its schema id says?", len(s.rest))}
	}
	return nil
}

func (s *avroScan) datum(t *avroType) error {
	if s.values++; s.values > maxAvroScan {
		return avroMalformed(fmt.Sprintf("brings the record to more than %d values", maxAvroScan))
	}
	switch t.kind {
	case avroNull:
		return nil
	case avroBoolean:
		if len(s.rest) > 0 && s.rest[0] > 1 {
			return avroMalformed("is no Avro boolean")
		}
		return s.skip(1)
	case avroInt:
		value, err := s.varint()
		if err == nil && (value < math.MinInt32 || value > math.MaxInt32) {
			return avroMalformed("is an Avro int beyond 32 bits")
		}
		return err
	case avroLong:
		_, err := s.varint()
		return err
	case avroFloat:
		return s.skip(4)
	case avroDouble:
		return s.skip(8)
	case avroFixed:
		return s.skip(int64(t.size))
	case avroBytes, avroString:
		return s.sized()
	case avroEnum:
		_, err := s.index(len(t.symbols))
		return err
	case avroUnion:
		member, err := s.index(len(t.members))
		if err != nil {
			return err
		}
		return s.datum(t.members[member])
	case avroArray, avroMap:
		return s.blocks(t)
	}
	for i := range t.fields {
		if err := s.datum(t.fields[i].of); err != nil {
			return inside(t.fields[i].name, err)
		}
	}
	return nil
}

// blocks walks over an array or a map: counted blocks up to one of count 0. A negative count is followed by
// the block's size in bytes.
func (s *avroScan) blocks(t *avroType) error {
	for total := int64(0); ; {
		count, err := s.varint()
		if err != nil || count == 0 {
			return err
		}
		end := -1
		if count < 0 {
			size, err := s.varint()
			if err != nil {
				return err
			}
			if size < 0 || size > int64(len(s.rest)) {
				return avroMalformed("has a block longer than the record")
			}
			count, end = -count, len(s.rest)-int(size)
		}
		// The most negative count stays negative when it is negated.
		if count < 0 || count > maxElements-total {
			return &InvalidError{Reason: ReasonInvalidOrder, Err: &FieldError{Rule: fmt.Sprintf("must have at most %d elements", maxElements)}}
		}
		for range count {
			if err := s.element(t); err != nil {
				return inside(fmt.Sprintf("[%d]", total), err)
			}
			total++
		}
		if end >= 0 && len(s.rest) != end {
			return avroMalformed("has a block of another size than it says")
		}
	}
}

func (s *avroScan) element(t *avroType) error {
	if t.kind == avroMap {
		if err := s.sized(); err != nil {
			return err
		}
	}
	return s.datum(t.element)
}

// sized skips bytes or a string: a length and that many bytes.
func (s *avroScan) sized() error {
	size, err := s.varint()
	if err != nil {
		return err
	}
	return s.skip(size)
}

func (s *avroScan) skip(size int64) error {
	if size < 0 {
		return avroMalformed("has a negative length")
	}
	if size > int64(len(s.rest)) {
		return avroMalformed("ends early")
	}
	s.rest = s.rest[size:]
	return nil
}

// index reads the number of a union's member or an enum's symbol.
func (s *avroScan) index(count int) (int64, error) {
	index, err := s.varint()
	if err == nil && (index < 0 || index >= int64(count)) {
		return 0, avroMalformed(fmt.Sprintf("has choice %d of %d", index, count))
	}
	return index, err
}

// varint reads a zigzag varint in the one shortest form that encoders write.
func (s *avroScan) varint() (int64, error) {
	if len(s.rest) > 0 && s.rest[0] < 0x80 {
		value := int64(s.rest[0]>>1) ^ -int64(s.rest[0]&1)
		s.rest = s.rest[1:]
		return value, nil
	}
	value, size := binary.Varint(s.rest)
	switch {
	case size == 0:
		return 0, avroMalformed("ends early")
	case size < 0:
		return 0, avroMalformed("has a number beyond 64 bits")
	case s.rest[size-1] == 0:
		return 0, avroMalformed("has a number padded with zero bits")
	}
	s.rest = s.rest[size:]
	return value, nil
}

func avroMalformed(rule string) error {
	return &InvalidError{Reason: ReasonMalformed, Err: &FieldError{Rule: rule}}
}

// inside puts the name of a field, or the number of an element, before the path of an error.
func inside(name string, err error) error {
	if field, ok := errors.AsType[*FieldError](err); ok {
		switch {
		case field.Field == "" || field.Field[0] == '[':
			field.Field = name + field.Field
		default:
			field.Field = name + "." + field.Field
		}
	}
	return err
}
