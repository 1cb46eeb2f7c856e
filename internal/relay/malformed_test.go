package relay_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// bad is a record that must end as a dead letter.
type bad struct {
	name   string
	value  []byte
	reason schema.Reason
	says   string // part of the error
}

// requireDead puts every bad record between two good orders into one partition, runs a relay, and demands
// that each one is a dead letter with its own bytes and that the partition flows on.
func (s *shop) requireDead(t *testing.T, cases []bad) {
	t.Helper()
	var records []*kgo.Record
	good := func(name string) *kgo.Record {
		r := s.record(t, s.order("GOOD-"+name, "", carrying(clickOf(name))))
		r.Key = nil
		return r
	}
	for i, c := range cases {
		record := &kgo.Record{Topic: s.config.Orders.Topic, Value: c.value, Headers: []kgo.RecordHeader{
			{Key: "trace", Value: []byte{0, 0xff, byte(i)}}, {Key: "trace", Value: []byte("again")}, {Key: "empty", Value: []byte{}}, {Key: "", Value: []byte("no name")},
		}}
		records = append(records, good(c.name), record)
	}
	records = append(records, good("last"))
	s.kafka.Produce(t, records...)
	// Every other order here is bad, which is more than the mass rule would let go.
	s.config.Delivery.MassSamples = 1000
	r := s.start(t)
	s.awaitOutcomes(t, len(records))
	b := s.audit(t)
	require.NotContains(t, r.log.String(), "jane@example.com")
	require.Equal(t, len(cases), len(b.letters))
	require.Equal(t, len(cases)+1, s.cj.Count(), "CJ receives the good orders and nothing else")
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			at := placeOf(records[2*i+1])
			require.Equal(t, schema.DeadLetter, b.byPlace[at].Outcome)
			require.Equal(t, c.reason, b.byPlace[at].Reason)
			require.Zero(t, b.byPlace[at].Attempts)
			said := headersOf(b.letters[at].Headers)["cjrelay-error"]
			require.Contains(t, said, c.says)
			require.NotContains(t, said, "jane@example.com")
			b.requireAcknowledged(t, s, "GOOD-"+c.name, clickOf(c.name), schema.ReasonCarried)
		})
	}
	b.requireAcknowledged(t, s, "GOOD-last", clickOf("last"), schema.ReasonCarried)
}

// avro is a datum behind Confluent's header.
func avro(id uint32, datum ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), datum...)
}

// The ids of schemas that only these tests register.
const (
	recursiveID = 10 + iota
	nullsID
	doubleID
	protobufID
	referringID
	stringID
	absentID
)

const (
	recursiveSchema = `{"type": "record", "name": "Node", "fields": [{"name": "order_id", "type": "string"}, {"name": "next", "type": ["null", "Node"]}]}`
	nullsSchema     = `{"type": "record", "name": "Bomb", "fields": [{"name": "order_id", "type": "string"}, {"name": "items", "type": {"type": "array", "items": "null"}}]}`
	doubleSchema    = `{"type": "record", "name": "Other", "fields": [
		{"name": "order_id", "type": "string"}, {"name": "cjevent", "type": "string"}, {"name": "currency", "type": "string"},
		{"name": "confirmed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}}, {"name": "amount", "type": "double"}]}`
)

func TestBadAvroEndsAsDeadLetter(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.useAvro(t)
	for id, registered := range map[int]sr.Schema{
		recursiveID: {Schema: recursiveSchema}, nullsID: {Schema: nullsSchema}, doubleID: {Schema: doubleSchema},
		protobufID:  {Schema: `syntax = "proto3"; message Order { string order_id = 1; }`, Type: sr.TypeProtobuf},
		referringID: {Schema: `"string"`, References: []sr.SchemaReference{{Name: "com.cjrelay.CJEvent", Subject: "cjevent-value", Version: 1}}},
		stringID:    {Schema: `"string"`},
	} {
		s.registry.SeedSchema("other-"+string(rune('a'+id)), 1, id, registered)
	}
	codec, err := goavro.NewCodec(doubleSchema)
	require.NoError(t, err)
	double := func(id string, amount float64) []byte {
		value, err := codec.BinaryFromNative(avro(doubleID), map[string]any{"order_id": id, "cjevent": clickOf("1"), "currency": "USD",
			"confirmed_at": s.now, "amount": amount})
		require.NoError(t, err)
		return value
	}
	whole := s.record(t, s.order("ORD-1", "", carrying(clickOf("1")))).Value
	header := avro(kafkatest.OrderSchemaID)
	// The id, a session of null, a time and a currency: what stands before the items.
	head := append(append(bytes.Clone(header), 4, 'I', 'D', 0), binary.AppendVarint(nil, s.now.UnixMilli())...)
	head = append(append(head, 6), "USD"...)
	items := func(datum ...byte) []byte { return append(append(bytes.Clone(head), 2), datum...) }
	itemsOf := func(count int64) []byte { return items(binary.AppendVarint(nil, count)...) }
	malformed, unknown, invalid := schema.ReasonMalformed, schema.ReasonUnknownSchema, schema.ReasonInvalidOrder

	s.requireDead(t, []bad{
		{"NullValue", nil, malformed, "value is null"},
		{"EmptyValue", []byte{}, malformed, "value is empty"},
		{"FourBytes", []byte{0, 0, 0, 0}, malformed, "too short"},
		{"BadMagicByte", append([]byte{1}, whole[1:]...), malformed, "starts with byte 0x01"},
		{"JSONInstead", []byte(`{"order_id": "ORD-1"}`), malformed, "looks like JSON"},
		{"HeaderWithoutDatum", header, malformed, "ends early"},
		{"UnknownSchemaID", avro(absentID, whole[5:]...), unknown, "is not in the registry"},
		{"HighestSchemaID", avro(math.MaxUint32, whole[5:]...), unknown, "is not in the registry"},
		{"ProtobufSchema", avro(protobufID, 0), unknown, "only Avro is supported"},
		{"SchemaWithReferences", avro(referringID, 0), unknown, "refers to other schemas"},
		{"RecursiveSchema", avro(recursiveID, 2, 'x', 0), unknown, "contains itself"},
		{"ArrayOfNulls", avro(nullsID, append([]byte{2, 'x'}, binary.AppendVarint(nil, math.MaxInt32)...)...), unknown, "take no bytes"},
		{"NoRecord", avro(stringID, 2, 'x'), malformed, "no Avro record"},
		{"Truncated", whole[:len(whole)-3], malformed, "ends early"},
		{"BytesLeftOver", append(bytes.Clone(whole), 0), malformed, "1 bytes are left"},
		{"ArrayOfTwoBillion", itemsOf(math.MaxInt32), invalid, "at most 10000 elements"},
		{"ArrayOfTheMostNegativeCount", itemsOf(math.MinInt64), malformed, "ends early"},
		{"ArrayBeyond64Bits", items(bytes.Repeat([]byte{0xff}, 11)...), malformed, "beyond 64 bits"},
		{"NoSuchUnionMember", append(bytes.Clone(head), 4), malformed, "choice 2 of 2"},
		{"StringOfNegativeLength", avro(kafkatest.OrderSchemaID, 1), malformed, "negative length"},
		{"StringLongerThanTheRecord", append(bytes.Clone(header), binary.AppendVarint(nil, math.MaxInt64)...), malformed, "ends early"},
		{"OrderIDThatIsNoUTF8", append(append(bytes.Clone(header), 4, 0xff, 0xfe), whole[5+6:]...), invalid, "must be UTF-8"},
		{"DoubleThatIsNoNumber", double("ORD-2", math.NaN()), invalid, "must not be Avro double"},
		{"Double", double("ORD-3", 12.5), invalid, "must not be Avro double"},
		{"FiveMegabytes", append(bytes.Clone(whole), make([]byte, 5<<20)...), malformed, "must be at most 1048576"},
	})
}

func TestBadJSONEndsAsDeadLetter(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	malformed := schema.ReasonMalformed
	s.requireDead(t, []bad{
		{"NullValue", nil, malformed, "value is null"},
		{"EmptyValue", []byte{}, malformed, "value is empty"},
		{"Blank", []byte(" \n"), malformed, "JSON"},
		{"NoJSON", []byte("hello"), malformed, "JSON"},
		{"Truncated", []byte(`{"order_id": "ORD-1", "items": [`), malformed, "JSON"},
		{"TwoObjects", []byte(`{} {}`), malformed, "JSON"},
		{"RepeatedName", []byte(`{"order_id": "A", "order_id": "B"}`), malformed, "JSON"},
		{"DeepNesting", []byte(`{"x":` + strings.Repeat("[", 400_000)), malformed, "JSON"},
		{"DeepNestingThatCloses", []byte(`{"x":` + strings.Repeat(`{"x":`, 100_000) + "1" + strings.Repeat("}", 100_001)), malformed, "JSON"},
		{"IllegalUTF8", []byte("{\"order_id\": \"\xff\"}"), malformed, "JSON"},
		{"AvroInstead", avro(1, 2, 'x'), malformed, "JSON"},
		{"FiveMegabytes", []byte(`{"x": "` + strings.Repeat("x", 5<<20) + `"}`), malformed, "must be at most 1048576"},
		{"Number", []byte(`1`), malformed, "object"},
		{"Null", []byte(`null`), malformed, "object"},
	})
}

// Keys come back as they were: none, empty, or not text.
func TestDeadLetterKeepsItsKey(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	keys := [][]byte{nil, {}, {0, 0xff, '\n'}, []byte("ORD-1"), bytes.Repeat([]byte("k"), 10_000)}
	for _, key := range keys {
		s.kafka.Produce(t, &kgo.Record{Topic: s.config.Orders.Topic, Key: key, Value: []byte("bad")})
	}
	s.start(t)
	s.awaitOutcomes(t, len(keys))
	b := s.audit(t)
	require.Zero(t, s.cj.Count())
	for i, key := range keys {
		require.Equal(t, key, b.letters[place{0, int64(i)}].Key)
	}
}

// An order that comes back from the dead-letter topic has headers of its last time, which must not stay.
func TestDeadLetterHasTheReasonOfThisTimeOnly(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.kafka.Produce(t, &kgo.Record{Topic: s.config.Orders.Topic, Value: []byte("bad"), Headers: []kgo.RecordHeader{
		{Key: "cjrelay-reason", Value: []byte("rejected")}, {Key: "trace", Value: []byte("1")}, {Key: "cjrelay-attempts", Value: []byte("7")}}})
	s.start(t)
	s.awaitOutcomes(t, 1)
	letter := s.audit(t).letters[place{0, 0}]
	require.Len(t, letter.Headers, 1+len(ourHeaders))
	require.Zero(t, s.cj.Count())
}

// What the topics do not take whole still tells which order it was, and holds up nothing.
func TestRecordsTooLargeForTheirTopicsAreCutDown(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.config.DeadLetter.Topic = s.kafka.Topic(t, "small-dlq", 1, map[string]string{"max.message.bytes": "10000"})
	large := bytes.Repeat([]byte("x"), 20_000)
	trace := kgo.RecordHeader{Key: "trace", Value: []byte("1")}
	to := func(r kgo.Record) *kgo.Record { r.Topic = s.config.Orders.Topic; return &r }
	longID := s.record(t, s.order(strings.Repeat("x", 700_000), "", carrying(clickOf("1"))))
	longID.Key = nil
	s.kafka.Produce(t,
		to(kgo.Record{Key: []byte("small"), Value: []byte("bad"), Headers: []kgo.RecordHeader{trace}}),
		to(kgo.Record{Key: []byte("large value"), Value: large, Headers: []kgo.RecordHeader{trace}}),
		to(kgo.Record{Key: large, Value: []byte("bad"), Headers: []kgo.RecordHeader{trace}}),
		to(kgo.Record{Key: []byte("large header"), Value: []byte("bad"), Headers: []kgo.RecordHeader{{Key: "trace", Value: large}}}),
		longID, s.record(t, s.order("ORD-1", "", carrying(clickOf("1")))))
	s.start(t)
	s.awaitOutcomes(t, 6)
	b := s.audit(t)
	for offset, reason := range []string{"malformed", "too_large", "too_large", "too_large", "too_large"} {
		require.Equal(t, reason, headersOf(b.letters[place{0, int64(offset)}].Headers)["cjrelay-reason"], offset)
	}
	require.Equal(t, "large value", string(b.letters[place{0, 1}].Key))
	require.Equal(t, schema.ReasonUnbuildable, b.byPlace[place{0, 4}].Reason)
	require.Empty(t, b.byPlace[place{0, 4}].OrderID, "its name does not fit into the outcome")
	b.requireAcknowledged(t, s, "ORD-1", clickOf("1"), schema.ReasonCarried)
	require.Equal(t, 1, s.cj.Count())
}
