package schema

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
)

// outcomeVersion is the "v" of every outcome record. A reader must refuse another one.
const outcomeVersion = 1

// OutcomeRecord is how one order ended, as it stands in the outcomes topic. The topic is kept for long after
// the order: names and meanings of its fields only ever grow.
//
// The seven fields that only a readable order has (OrderID, EnterpriseID, Action, SessionID, CJEvent,
// QuerySHA256, ConfirmedAt) are left out of the JSON when they are empty and OrderID is empty too. With an
// order id an empty field is written as "", which says that the order had none.
type OutcomeRecord struct {
	// Group is the consumer group that judged the order.
	Group string
	// Outcome is how the order ended, Reason why; see Reasons.
	Outcome Kind
	Reason  Reason
	// OrderID is the platform's order id, empty when the record was unreadable.
	OrderID      string
	EnterpriseID string
	Action       string
	SessionID    string
	// CJEvent is the click id that counted, empty when none did.
	CJEvent string
	// Topic, Partition and Offset say where the order's record is.
	Topic     string
	Partition int32
	Offset    int64
	// Attempts is the number of HTTP requests made for the order, Status the last answer's HTTP status or 0.
	Attempts int
	Status   int
	// QuerySHA256 is the hex SHA-256 of the query sent to CJ, empty when none was built.
	QuerySHA256 string
	// ConfirmedAt is the order's own time, At is when it ended.
	ConfirmedAt time.Time
	At          time.Time
}

// Key returns the key of the outcome's record: "enterprise|action|order_id", which is CJ's identity of an
// order, or "topic|partition|offset" when the order was unreadable.
func (r OutcomeRecord) Key() string {
	if r.OrderID != "" {
		return r.EnterpriseID + "|" + r.Action + "|" + r.OrderID
	}
	return r.Topic + "|" + strconv.FormatInt(int64(r.Partition), 10) + "|" + strconv.FormatInt(r.Offset, 10)
}

// outcomeJSON is OutcomeRecord on the wire, as it is read.
type outcomeJSON struct {
	Version      int     `json:"v"`
	Group        string  `json:"group"`
	Outcome      Kind    `json:"outcome"`
	Reason       Reason  `json:"reason"`
	OrderID      *string `json:"order_id,omitzero"`
	EnterpriseID *string `json:"enterprise_id,omitzero"`
	Action       *string `json:"action,omitzero"`
	SessionID    *string `json:"session_id,omitzero"`
	CJEvent      *string `json:"cjevent,omitzero"`
	Topic        string  `json:"topic"`
	Partition    int32   `json:"partition"`
	Offset       int64   `json:"offset"`
	Attempts     int     `json:"attempts"`
	Status       int     `json:"status"`
	QuerySHA256  *string `json:"query_sha256,omitzero"`
	ConfirmedAt  *string `json:"confirmed_at,omitzero"`
	At           string  `json:"at"`
}

// MarshalJSON writes the record as docs and kcat show it, times in UTC with milliseconds. It is on the way of
// every order, so it is written out rather than left to reflection.
func (r OutcomeRecord) MarshalJSON() ([]byte, error) {
	w := jsonWriter{out: append(make([]byte, 0, 512), '{')}
	known := func(name, text string) {
		if text != "" || r.OrderID != "" {
			w.name(name)
			w.quote(text)
		}
	}
	number := func(name string, value int64) {
		w.name(name)
		w.out = strconv.AppendInt(w.out, value, 10)
	}
	quoted := func(name, text string) {
		w.name(name)
		w.quote(text)
	}
	confirmedAt := ""
	if !r.ConfirmedAt.IsZero() {
		confirmedAt = formatInstant(r.ConfirmedAt)
	}
	number("v", outcomeVersion)
	quoted("group", r.Group)
	quoted("outcome", string(r.Outcome))
	quoted("reason", string(r.Reason))
	known("order_id", r.OrderID)
	known("enterprise_id", r.EnterpriseID)
	known("action", r.Action)
	known("session_id", r.SessionID)
	known("cjevent", r.CJEvent)
	quoted("topic", r.Topic)
	number("partition", int64(r.Partition))
	number("offset", r.Offset)
	number("attempts", int64(r.Attempts))
	number("status", int64(r.Status))
	known("query_sha256", r.QuerySHA256)
	known("confirmed_at", confirmedAt)
	quoted("at", formatInstant(r.At))
	w.delimit('}')
	if w.err != nil {
		return nil, fmt.Errorf("outcome record: %w", w.err)
	}
	return w.out, nil
}

// DecodeOutcome reads a record that MarshalJSON wrote, of this version or with fields that a later one added.
func DecodeOutcome(value []byte) (OutcomeRecord, error) {
	var wire outcomeJSON
	if err := json.Unmarshal(value, &wire); err != nil {
		return OutcomeRecord{}, fmt.Errorf("outcome record: %w", jsonSyntax(err))
	}
	if wire.Version != outcomeVersion {
		return OutcomeRecord{}, fmt.Errorf("outcome record v %d: must be %d; a newer cjrelay wrote it, update this one", wire.Version, outcomeVersion)
	}
	if wire.Outcome == "" {
		return OutcomeRecord{}, errors.New("outcome record: outcome is missing")
	}
	text := func(field *string) string {
		if field == nil {
			return ""
		}
		return *field
	}
	record := OutcomeRecord{
		Group: wire.Group, Outcome: wire.Outcome, Reason: wire.Reason,
		OrderID: text(wire.OrderID), EnterpriseID: text(wire.EnterpriseID), Action: text(wire.Action),
		SessionID: text(wire.SessionID), CJEvent: text(wire.CJEvent),
		Topic: wire.Topic, Partition: wire.Partition, Offset: wire.Offset, Attempts: wire.Attempts, Status: wire.Status,
		QuerySHA256: text(wire.QuerySHA256),
	}
	if confirmedAt := text(wire.ConfirmedAt); confirmedAt != "" {
		if err := record.ConfirmedAt.UnmarshalText([]byte(confirmedAt)); err != nil {
			return OutcomeRecord{}, fmt.Errorf("outcome record confirmed_at %s: %w", Quoted(confirmedAt), errInstantSyntax)
		}
	}
	if err := record.At.UnmarshalText([]byte(wire.At)); err != nil {
		return OutcomeRecord{}, fmt.Errorf("outcome record at %s: %w", Quoted(wire.At), errInstantSyntax)
	}
	record.ConfirmedAt, record.At = record.ConfirmedAt.UTC(), record.At.UTC()
	return record, nil
}
