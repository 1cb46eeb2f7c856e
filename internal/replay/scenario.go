// Package replay does orders once more that were read before: it finds out what that would send, what CJ has already,
// and what still has no click, and does what is needed in a consumer group of its own, or sets the stopped live group
// back.
package replay

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Scenario says where each partition begins, in the grammar of Kafka's own `kafka-consumer-groups --reset-offsets`.
// The functions below make one.
type Scenario struct {
	kind   kind
	at     time.Time
	offset int64
	plan   map[int32]int64
}

type kind int

const (
	toEarliest kind = iota + 1
	toDatetime
	toOffset
	shiftBy
	fromFile
)

// ToEarliest begins with the first record that the topic still has.
func ToEarliest() Scenario { return Scenario{kind: toEarliest} }

// ToDatetime begins with the first record that has that time or a later one.
func ToDatetime(at time.Time) Scenario { return Scenario{kind: toDatetime, at: at} }

// ToOffset begins at an offset of each partition, or at the end of the log that is nearer to it.
func ToOffset(offset int64) Scenario { return Scenario{kind: toOffset, offset: offset} }

// ShiftBy begins that many offsets behind, or with a negative number before, where the live group stands.
func ShiftBy(offsets int64) Scenario { return Scenario{kind: shiftBy, offset: offsets} }

// FromFile begins at the offsets that a file names, which Kafka's tool has exported: lines of topic,partition,offset.
func FromFile(file io.Reader, topic string) (Scenario, error) {
	s := Scenario{kind: fromFile, plan: map[int32]int64{}}
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		fields := strings.Split(line, ",")
		if len(fields) != 3 {
			return s, fmt.Errorf("line %d: must be topic,partition,offset", number)
		}
		for i := range fields {
			fields[i] = strings.Trim(strings.TrimSpace(fields[i]), `"`)
		}
		partition, err := strconv.ParseUint(fields[1], 10, 31)
		if err != nil {
			return s, fmt.Errorf("line %d: %q is not a partition", number, fields[1])
		}
		offset, err := strconv.ParseUint(fields[2], 10, 63)
		if err != nil {
			return s, fmt.Errorf("line %d: %q is not an offset", number, fields[2])
		}
		if fields[0] != topic {
			return s, fmt.Errorf("line %d: topic %q is not orders.topic, which is %s", number, fields[0], topic)
		}
		s.plan[int32(partition)] = int64(offset)
	}
	if len(s.plan) == 0 && lines.Err() == nil {
		return s, fmt.Errorf("it has no line: must be topic,partition,offset")
	}
	return s, lines.Err()
}

// begin is where a partition begins, and whether the scenario has it at all.
func (s Scenario) begin(partition int32, in log) (offset int64, has bool, err error) {
	within := func(offset int64) int64 { return min(max(offset, in.start), in.end) }
	switch s.kind {
	case toEarliest:
		return in.start, true, nil
	case toDatetime:
		return within(in.at), true, nil
	case toOffset:
		return within(s.offset), true, nil
	case shiftBy:
		if in.committed < 0 {
			return 0, false, fmt.Errorf("the live group has no offset for partition %d: there is nothing to shift from", partition)
		}
		return within(in.committed + s.offset), true, nil
	default:
		offset, has := s.plan[partition]
		return within(offset), has, nil
	}
}

// log is a partition as it is when a replay is planned.
type log struct {
	start, end int64
	// at is the first offset of the scenario's time, until that of the end's.
	at, until int64
	// committed is where the live group stands, -1 when it has no offset.
	committed int64
}

// lookup is an offset of a listing.
func lookup(offsets kadm.ListedOffsets, topic string, partition int32, otherwise int64) int64 {
	if offset, ok := offsets.Lookup(topic, partition); ok && offset.Offset >= 0 {
		return offset.Offset
	}
	return otherwise
}
