package consumer

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// ours begins the names of the headers that we add to a dead letter.
const ours = "cjrelay-"

// maxErrorText bounds the header with the error, in bytes: it may name a field that the order named itself.
const maxErrorText = 4 << 10

// deadLetter is an order that cannot be sent, and why.
type deadLetter struct {
	config  Config
	record  *kgo.Record
	outcome schema.OutcomeRecord
	cause   error
}

// whole is the order's original record with the reason in its headers.
func (d deadLetter) whole() *kgo.Record {
	return &kgo.Record{Topic: d.config.DeadLetterTopic, Key: d.record.Key, Value: d.record.Value,
		Headers: append(d.original(), d.provenance(d.reason())...)}
}

// reason is why the record is here. One that was parked may be sent again as it is; its outcome tells more.
func (d deadLetter) reason() string {
	if d.outcome.Outcome == schema.Parked {
		return string(schema.Parked)
	}
	return string(d.outcome.Reason)
}

// withoutValue is for a topic that does not take the whole record.
func (d deadLetter) withoutValue() *kgo.Record {
	return &kgo.Record{Topic: d.config.DeadLetterTopic, Key: d.record.Key, Headers: append(d.original(), d.tooLarge()...)}
}

// bare is for a record whose key or own headers are too large. It always fits.
func (d deadLetter) bare() *kgo.Record {
	return &kgo.Record{Topic: d.config.DeadLetterTopic, Headers: d.tooLarge()}
}

// original is the record's own headers, without what an earlier pass through the dead-letter topic has left but where
// the order has been.
func (d deadLetter) original() []kgo.RecordHeader {
	return slices.DeleteFunc(slices.Clone(d.record.Headers), func(h kgo.RecordHeader) bool {
		return strings.HasPrefix(h.Key, ours) && !isProvenance(h.Key)
	})
}

func (d deadLetter) provenance(reason string) []kgo.RecordHeader {
	text := ""
	if d.cause != nil {
		text = d.cause.Error()
	}
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "")
	}
	return []kgo.RecordHeader{
		header("reason", reason),
		header("error", text),
		header("topic", d.record.Topic),
		header("partition", strconv.Itoa(int(d.record.Partition))),
		header("offset", strconv.FormatInt(d.record.Offset, 10)),
		header("attempts", strconv.Itoa(d.outcome.Attempts)),
		header("status", strconv.Itoa(d.outcome.Status)),
		header("at", d.outcome.At.Format(time.RFC3339Nano)),
		header("version", d.config.Version),
	}
}

// tooLarge tells which record it was where the bytes themselves are missing.
func (d deadLetter) tooLarge() []kgo.RecordHeader {
	sum := sha256.Sum256(d.record.Value)
	return append(d.provenance("too_large"),
		header("sha256", hex.EncodeToString(sum[:])), header("bytes", strconv.Itoa(len(d.record.Value))))
}

func header(name, value string) kgo.RecordHeader {
	return kgo.RecordHeader{Key: ours + name, Value: []byte(value)}
}
