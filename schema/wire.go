package schema

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// wireHeader is Confluent's wire format: a zero byte and the schema id, big-endian, before the datum
// (docs.confluent.io, Schema Registry, Wire Format).
const wireHeader = 5

// cutWireHeader splits a value in Confluent's wire format. The datum aliases value.
func cutWireHeader(value []byte) (id int, datum []byte, err error) {
	switch {
	case len(value) < wireHeader:
		err = fmt.Errorf("value of %d bytes is too short for Confluent's wire format (a zero byte, four of schema id, Avro)", len(value))
	case value[0] == '{':
		err = errors.New("value is not in Confluent's wire format; it looks like JSON, is the format avro right?")
	case value[0] != 0:
		err = fmt.Errorf("value is not in Confluent's wire format: it starts with byte 0x%02x, not with 0x00", value[0])
	default:
		return int(binary.BigEndian.Uint32(value[1:])), value[wireHeader:], nil
	}
	return 0, nil, err
}

// appendWireHeader appends the header for a schema id.
func appendWireHeader(dst []byte, id int) []byte {
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id))
}
