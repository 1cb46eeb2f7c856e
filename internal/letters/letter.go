// Package letters is the dead-letter topic as people deal with it: which letters wait there and why, what they hold,
// and how they are sent again.
//
// Nothing in the topic is ever changed or deleted. A letter that was sent again has a note behind it in its own
// partition, which was written in one transaction with the order's new record: both are there, or neither.
package letters

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/consumer"
)

// The headers of a dead letter, as package consumer writes them, and of a note.
const (
	prefix          = "cjrelay-"
	headerReason    = prefix + "reason"
	headerError     = prefix + "error"
	headerTopic     = prefix + "topic"
	headerPartition = prefix + "partition"
	headerOffset    = prefix + "offset"
	headerAttempts  = prefix + "attempts"
	headerStatus    = prefix + "status"
	headerAt        = prefix + "at"
	headerVersion   = prefix + "version"
	headerSHA256    = prefix + "sha256"
	headerBytes     = prefix + "bytes"
	// headerLetter, of a note only, is the letter that was sent again.
	headerLetter = prefix + "letter"
)

const (
	// ReasonRedriven is a note's reason. No letter has it.
	ReasonRedriven = "redriven"
	// ReasonTooLarge is that of a letter whose value its topic did not take.
	ReasonTooLarge = "too_large"
)

// Letter is a dead letter without the order's bytes.
type Letter struct {
	// Place is the letter's own.
	Place Place `json:"letter"`
	// Reason is why it is here: a reason of the kind dead_letter, parked or too_large. Error tells more.
	Reason string `json:"reason"`
	Error  string `json:"error"`
	// Order is where the order's record stood, Origin where it stood when it was read for the first time.
	Order  Place `json:"order"`
	Origin Place `json:"origin"`
	// OrderID is the order's id, empty where it cannot be read or was not asked for.
	OrderID string `json:"order_id"`
	// Attempts is how many requests were made, Status what the last one was answered with or 0.
	Attempts int `json:"attempts"`
	Status   int `json:"status"`
	// At is when it was written.
	At time.Time `json:"at"`
	// Version is the cjrelay that wrote it.
	Version string `json:"version"`
	// Bytes is the length of the order's value, whether it is here or not. SHA256 is its hash where it is not.
	Bytes  int    `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"`
	// Redrives is how often the order had been sent again before it came here.
	Redrives int `json:"redrives"`
	// From is the letter that it came from last, empty for an order that was never sent again. Mended is the
	// hash of the value before a person mended it.
	From   string `json:"redriven_from,omitempty"`
	Mended string `json:"mended,omitempty"`
	// Redriven is where this letter's order went when it was sent again; nil while it waits.
	Redriven *Redriven `json:"redriven,omitempty"`
}

// Redriven tells that a letter was sent again.
type Redriven struct {
	// To is the order's new record.
	To Place     `json:"to"`
	At time.Time `json:"at"`
}

// HasValue tells whether the order's bytes are here.
func (l Letter) HasValue() bool { return l.Reason != ReasonTooLarge }

// errForeign is for records of the dead-letter topic that cjrelay has not written.
var errForeign = errors.New("not a dead letter of cjrelay")

// parse reads a letter, or the note about one.
func parse(record *kgo.Record) (letter Letter, note *Redriven, err error) {
	headers := map[string]string{}
	for _, h := range record.Headers {
		// The last one counts: a letter's own headers are behind the order's.
		headers[h.Key] = string(h.Value)
	}
	here := Place{record.Topic, record.Partition, record.Offset}
	order, ok := ParsePlace(headers[headerTopic]+"/"+headers[headerPartition]+"/"+headers[headerOffset], "")
	if !ok || headers[headerReason] == "" {
		return Letter{}, nil, errForeign
	}
	for name, text := range headers {
		// They are shown on terminals, and whoever may write to the topic may have written them.
		headers[name] = strings.Map(func(c rune) rune {
			if unicode.IsControl(c) {
				return ' '
			}
			return c
		}, text)
	}
	at, err := time.Parse(time.RFC3339Nano, headers[headerAt])
	if err != nil {
		at = record.Timestamp.UTC()
	}
	if headers[headerReason] == ReasonRedriven {
		about, ok := ParsePlace(headers[headerLetter], record.Topic)
		if !ok {
			return Letter{}, nil, errForeign
		}
		return Letter{Place: about}, &Redriven{To: order, At: at}, nil
	}
	number := func(name string) int {
		n, _ := strconv.Atoi(headers[name])
		return n
	}
	l := Letter{
		Place: here, Reason: headers[headerReason], Error: headers[headerError], Order: order, Origin: order,
		Attempts: number(headerAttempts), Status: number(headerStatus), At: at, Version: headers[headerVersion],
		Bytes: len(record.Value), Redrives: number(consumer.HeaderRedrives), From: headers[consumer.HeaderRedrivenFrom],
		Mended: headers[consumer.HeaderMended],
	}
	if origin, ok := ParsePlace(headers[consumer.HeaderOrigin], ""); ok {
		l.Origin = origin
	}
	if !l.HasValue() {
		l.Bytes, l.SHA256 = number(headerBytes), headers[headerSHA256]
	}
	return l, nil, nil
}

// OwnHeaders are those that the order's own record had, without what cjrelay has put on the letter.
func OwnHeaders(headers []kgo.RecordHeader) []kgo.RecordHeader {
	return slices.DeleteFunc(slices.Clone(headers), func(h kgo.RecordHeader) bool { return strings.HasPrefix(h.Key, prefix) })
}

// again is a letter's order as it is sent again, with the mended value in the place of its own where there is one.
func (l Letter) again(record *kgo.Record, topic string, mended []byte) *kgo.Record {
	headers := append(OwnHeaders(record.Headers),
		kgo.RecordHeader{Key: consumer.HeaderRedrives, Value: strconv.AppendInt(nil, int64(l.Redrives)+1, 10)},
		kgo.RecordHeader{Key: consumer.HeaderRedrivenFrom, Value: []byte(l.Place.String())},
		kgo.RecordHeader{Key: consumer.HeaderOrigin, Value: []byte(l.Origin.String())})
	value, before := record.Value, l.Mended
	if mended != nil {
		value, before = mended, hashOf(record.Value)
	}
	if before != "" {
		headers = append(headers, kgo.RecordHeader{Key: consumer.HeaderMended, Value: []byte(before)})
	}
	return &kgo.Record{Topic: topic, Partition: l.Order.Partition, Key: record.Key, Value: value, Headers: headers}
}

// note is the record that tells that a letter's order is at a new place.
func (l Letter) note(to Place, at time.Time, version string) *kgo.Record {
	record := &kgo.Record{Topic: l.Place.Topic, Partition: l.Place.Partition}
	for _, h := range []struct{ key, value string }{
		{headerReason, ReasonRedriven},
		{headerLetter, l.Place.String()},
		{headerTopic, to.Topic}, {headerPartition, strconv.Itoa(int(to.Partition))}, {headerOffset, strconv.FormatInt(to.Offset, 10)},
		{consumer.HeaderRedrives, strconv.Itoa(l.Redrives + 1)}, {consumer.HeaderOrigin, l.Origin.String()},
		{headerAt, at.UTC().Format(time.RFC3339Nano)}, {headerVersion, version},
	} {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: h.key, Value: []byte(h.value)})
	}
	return record
}

// String names the letter in messages.
func (l Letter) String() string {
	return fmt.Sprintf("%d/%d (%s of %s)", l.Place.Partition, l.Place.Offset, l.Reason, l.Order)
}
