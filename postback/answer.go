package postback

import (
	"fmt"
	"net/http"
	"time"
)

// Class says what an attempt means for its order. The zero Class means nothing, so that an Answer that was
// never filled in cannot pass for an acknowledgement.
type Class uint8

// The classes of an attempt.
const (
	_ Class = iota
	// Acknowledged: CJ answered 2xx. A receipt, not yet a commission: CJ documents no error answers, and
	// orders that fail in its processing just do not show in reports (docs.cj.com/docs/restatements-api).
	Acknowledged
	// Retry: the network failed, the attempt timed out, or CJ answered 408, 425, 429 or 5xx. Try again later.
	// CJ may have taken the order all the same; it de-duplicates by order id, action and enterprise
	// (docs.cj.com/docs/neworders-api-implementation).
	Retry
	// Rejected: CJ answered with a 4xx that blames this order. Trying again does not help.
	Rejected
	// Setup: a redirect, 401, 403, 404, 405, 407, or a status that is not HTTP's. The endpoint or the set-up is
	// wrong, or a proxy in between; no order is to blame.
	Setup
	// Cancelled: the caller's context ended first. It says nothing about CJ and counts for nothing.
	Cancelled
)

// Classes lists every class, so that metrics have a series from the start.
var Classes = [...]Class{Acknowledged, Retry, Rejected, Setup, Cancelled}

// String returns the metric label.
func (c Class) String() string {
	switch c {
	case Acknowledged:
		return "acknowledged"
	case Retry:
		return "retry"
	case Rejected:
		return "rejected"
	case Setup:
		return "setup"
	case Cancelled:
		return "cancelled"
	}
	return "none"
}

// Answer is the result of one attempt.
type Answer struct {
	Class Class
	// Status is CJ's HTTP status, or 0 if there was none.
	Status int
	// RetryAfter is how long CJ asked to wait, 0 if it did not, at most RetryAfterMax. Cap it further.
	RetryAfter time.Duration
	// Err says in plain words why the order is not acknowledged. It never holds the query or text of the answer,
	// which could repeat the query. Nil if acknowledged.
	Err error
	// Repeats is how many requests went out before the one that this answer is of, on kept connections that turned
	// out to be dead: hardly ever more than 1. CJ may have taken the order from any of them; it de-duplicates.
	Repeats int
	// Latency is the time from the call to the status line, or to the failure.
	Latency time.Duration
}

// classOf reads a status. The body is never asked: CJ documents none, and clients in production take any 2xx.
func classOf(status int) Class {
	switch {
	case 200 <= status && status <= 299:
		return Acknowledged
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests,
		500 <= status && status <= 599:
		return Retry
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound,
		status == http.StatusMethodNotAllowed, status == http.StatusProxyAuthRequired:
		return Setup
	case 400 <= status && status <= 499:
		return Rejected
	}
	return Setup
}

// read makes the Answer of a response whose body was not touched.
func read(response *http.Response, now time.Time, latency time.Duration) Answer {
	answer := Answer{Class: classOf(response.StatusCode), Status: response.StatusCode, Latency: latency}
	if answer.Class == Acknowledged {
		return answer
	}
	answer.RetryAfter = retryAfter(response.Header, now)
	answer.Err = fmt.Errorf("CJ answered %s", statusWords(response.StatusCode))
	if 300 <= response.StatusCode && response.StatusCode <= 399 {
		answer.Err = fmt.Errorf("CJ's endpoint redirects with %s, which is never followed; configure the final address", statusWords(response.StatusCode))
	}
	return answer
}

// statusWords uses our own text for a status: the server's may echo the request.
func statusWords(status int) string {
	if text := http.StatusText(status); text != "" {
		return fmt.Sprintf("%d %s", status, text)
	}
	return fmt.Sprint(status)
}
