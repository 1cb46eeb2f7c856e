package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// SessionClicks is what is known of one session's clicks, and what becomes of an order of it. Its JSON is the
// answer of /clicks and of `cjrelay clicks get -o json`: fields may be added to it.
type SessionClicks struct {
	// Session is the session's id. JSON is UTF-8: bytes that are not come out as U+FFFD.
	Session string `json:"session"`
	// At is when the order is confirmed.
	At time.Time `json:"at"`
	// Source is where the clicks were looked up: SourceTable or SourceTopic.
	Source string `json:"source"`
	// Clicks are ordered by the time of their capture. Never nil.
	Clicks []SessionClick `json:"clicks"`
	// Erased: a tombstone removed earlier clicks.
	Erased bool `json:"erased"`
	// Invalid: at least one click could not be read.
	Invalid bool           `json:"invalid"`
	Verdict SessionVerdict `json:"verdict"`
}

// The sources of SessionClicks.
const (
	// SourceTable is the click table of a running process.
	SourceTable = "table"
	// SourceTopic is the click topic itself.
	SourceTopic = "topic"
)

// SessionClick is one click of a session.
type SessionClick struct {
	CJEvent    string    `json:"cjevent"`
	CapturedAt time.Time `json:"captured_at"`
}

// SessionVerdict is what becomes of an order of the session that may be sent, carries no click of its own, and is
// not refused for another cause.
type SessionVerdict struct {
	// Outcome is schema.Acknowledged, as soon as CJ has, or schema.Unattributed.
	Outcome schema.Kind   `json:"outcome"`
	Reason  schema.Reason `json:"reason"`
	// CJEvent is the click that counts; empty when none does.
	CJEvent string `json:"cjevent,omitempty"`
}

// ErrElsewhere is in the error of Config.Clicks for a session that another process knows. It is answered with 421.
var ErrElsewhere = errors.New("ask another process")

// clicksPatience is how long /clicks waits for the click table. It is shorter than writeTimeout, and than a person
// waits for a page.
const clicksPatience = 5 * time.Second

var errClicksPatience = errors.New("waited " + clicksPatience.String())

// clicks answers what is known of a session: ?session=, percent-encoded, and &at=, RFC 3339, now without it.
func (s *Server) clicks(w http.ResponseWriter, r *http.Request) {
	session, at, err := clicksAsked(r.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), clicksPatience, errClicksPatience)
	defer cancel()
	found, err := s.config.Clicks(ctx, session, at)
	switch {
	case errors.Is(err, ErrElsewhere):
		http.Error(w, err.Error(), http.StatusMisdirectedRequest)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	text, err := json.Marshal(found)
	if err != nil {
		// A bare click takes its record's time, which may be of a year that JSON has no form for.
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// What it shows is a shopper's, and may be erased in a moment.
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(append(text, '\n'))
}

func clicksAsked(query string) (session string, at time.Time, err error) {
	// URL.Query would leave out what it cannot read, and a session is any bytes.
	asked, err := url.ParseQuery(query)
	if err != nil {
		return "", time.Time{}, errors.New("the query cannot be read: percent-encode the session, like ?session=s%2D1")
	}
	if session = asked.Get("session"); session == "" {
		return "", time.Time{}, errors.New("session is missing: ask for /clicks?session=SESSION&at=TIME")
	}
	if !asked.Has("at") {
		return session, time.Now().UTC(), nil
	}
	if at, err = ParseTime(asked.Get("at")); err != nil {
		advice := ""
		if strings.Contains(asked.Get("at"), " ") {
			advice = "; write the + of a zone as %2B"
		}
		return "", time.Time{}, fmt.Errorf("at %w%s", err, advice)
	}
	return session, at, nil
}

// ParseTime reads when an order is confirmed: RFC 3339 with a zone, in the years 2000 to 9999 as in an order. It is
// UTC. The error quotes the text and says the rule.
func ParseTime(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC(); err != nil || at.Year() < 2000 || at.Year() > 9999 {
		return time.Time{}, fmt.Errorf("%s: must be RFC 3339 with a zone, like 2026-03-27T11:02:07Z, in the years 2000 to 9999", schema.Quoted(text))
	}
	return at, nil
}
