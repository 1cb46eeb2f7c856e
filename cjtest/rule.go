package cjtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Effect is what a rule makes of the answer.
type Effect string

// The effects. Those that answer send Rule.Status, or the status named here where it is 0.
const (
	// Judge answers as the request deserves, see Server; with a Rule.Status it answers that, whatever the
	// request says.
	Judge Effect = ""
	// Hang sends nothing until the client gives up or the server closes.
	Hang Effect = "hang"
	// Reset cuts the connection with a TCP reset before any answer.
	Reset Effect = "reset"
	// Cut closes the connection in the middle of the status line.
	Cut Effect = "cut"
	// Malformed answers with something that is not HTTP.
	Malformed Effect = "malformed"
	// Empty answers without a body (200).
	Empty Effect = "empty"
	// HTML answers with an HTML error page (200).
	HTML Effect = "html"
	// Redirect points to Rule.Location (302).
	Redirect Effect = "redirect"
	// Trickle sends the headers (200), then the body in pieces of Rule.Bytes, one each Rule.Tick.
	Trickle Effect = "trickle"
	// Headers sends the headers (200) and promises a body that never comes.
	Headers Effect = "headers"
)

// Rule is one line of a script: which requests it is for, and what happens to them. All its conditions must
// hold; the zero value of a condition allows every request. See [ParseScript] for the same as text.
type Rule struct {
	// From and Until bound the time since the script was set: From <= elapsed < Until. Until 0 is for ever.
	From, Until time.Duration
	// Order is the order id.
	Order string
	// Every n picks each n-th of the requests that the other conditions leave: the n-th, the 2n-th, …
	Every int
	// Next n picks the first n of the requests that the other conditions leave; then the rule is spent.
	Next int

	// Latency passes before the effect. A client that does not wait for it gets no answer.
	Latency Latency
	// Effect is what happens then.
	Effect Effect
	// Status is the status to send, 200 to 599, or 0 for that of the effect.
	Status int
	// RetryAfter is the Retry-After header. "+30s" (a plus sign and a duration) becomes the HTTP date that
	// long after the answer; everything else is sent as it stands: "2", "Wed, 21 Oct 2026 07:28:00 GMT", "soon".
	RetryAfter string
	// Body is the body, for Judge with a Status and for Trickle.
	Body string
	// Location is where Redirect points.
	Location string
	// Bytes and Tick are the pace of Trickle, each more than 0.
	Bytes int
	Tick  time.Duration
}

// validate returns what is wrong with a rule, in the words of the text form.
func (r Rule) validate() error {
	fail := func(field, value, rule string) error {
		return &schema.FieldError{Field: field, Value: value, Rule: rule}
	}
	answers := r.Effect != Hang && r.Effect != Reset && r.Effect != Cut && r.Effect != Malformed
	bodied := r.Effect == Trickle || r.Effect == Judge && r.Status != 0
	bodiless := r.Status == http.StatusNoContent || r.Status == http.StatusNotModified
	switch {
	case r.From < 0 || r.Until < 0 || r.Until != 0 && r.Until <= r.From:
		return fail("window", fmt.Sprintf("%s-%s", r.From, r.Until), "must end after it begins, and not begin before 0s")
	case r.Every < 0:
		return fail("every", fmt.Sprint(r.Every), "must be 1 or more")
	case r.Next < 0:
		return fail("next", fmt.Sprint(r.Next), "must be 1 or more")
	case !r.Latency.valid():
		return fail("latency", r.Latency.String(), "must be 0s to 24h and not end before it begins")
	case !r.Effect.known():
		return fail("effect", schema.Quoted(string(r.Effect)), "is unknown, "+effectWords)
	case r.Status != 0 && (r.Status < 200 || r.Status > 599):
		return fail("status", fmt.Sprint(r.Status), "must be 200 to 599")
	case r.Status != 0 && !answers:
		return fail("status", fmt.Sprint(r.Status), "cannot be sent: "+string(r.Effect)+" gives no answer")
	case r.Effect == Redirect && r.Status != 0 && r.Status/100 != 3:
		return fail("status", fmt.Sprint(r.Status), "must be 300 to 399 for a redirect")
	case r.RetryAfter != "" && (!answers || r.Effect == Judge && r.Status == 0):
		return fail("retry-after", schema.Quoted(r.RetryAfter), "needs a status")
	case !headerText(r.RetryAfter):
		return fail("retry-after", schema.Quoted(r.RetryAfter), "must have printable characters only")
	case r.Body != "" && !bodied:
		return fail("body", schema.Quoted(r.Body), "needs a status or trickle")
	case bodiless && (r.Body != "" || r.Effect == Trickle || r.Effect == Headers || r.Effect == HTML):
		return fail("status", fmt.Sprint(r.Status), "has no body in HTTP: use another status")
	case (r.Effect == Redirect) != (r.Location != ""):
		return fail("redirect", schema.Quoted(r.Location), "needs an address, and an address needs redirect")
	case !headerText(r.Location):
		return fail("redirect", schema.Quoted(r.Location), "must have printable characters only")
	case r.Effect == Trickle && (r.Bytes <= 0 || r.Tick <= 0):
		return fail("trickle", fmt.Sprintf("%d/%s", r.Bytes, r.Tick), "needs bytes and a time above 0, like 1/100ms")
	case r.Effect != Trickle && (r.Bytes != 0 || r.Tick != 0):
		return fail("bytes and tick", fmt.Sprintf("%d/%s", r.Bytes, r.Tick), "belong to trickle alone")
	}
	return nil
}

const effectWords = "use ok, status=, empty, html, redirect=, trickle=, headers, hang, reset, cut or malformed"

func (e Effect) known() bool {
	switch e {
	case Judge, Hang, Reset, Cut, Malformed, Empty, HTML, Redirect, Trickle, Headers:
		return true
	}
	return false
}

// headerText reports whether a header can carry the text as it is.
func headerText(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
}
