package cjtest

import (
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answer is one request on its way to its answer.
type answer struct {
	server   *Server
	w        http.ResponseWriter
	r        *http.Request
	receipt  receipt
	problems []string // of a refused request
	notGET   bool
}

// file judges and records the request, and returns its order id.
func (a *answer) file(at time.Time) string {
	a.notGET = a.r.Method != http.MethodGet
	taken := readings.Get().(*reading)
	defer taken.release()
	taken.take(a.r.URL.RawQuery)
	taken.judge(&a.server.book, at, a.notGET)
	verdict := Valid
	if len(taken.problems) > 0 {
		verdict = Refused
		a.problems = taken.listed()
	}
	a.receipt = a.server.ledger.Load().record(entry{
		at:      at.UnixNano(),
		query:   a.r.URL.RawQuery,
		notGET:  a.notGET,
		verdict: verdict,
	}, taken.key())
	return taken.values[oid]
}

// give waits and answers as the rule says.
func (a *answer) give(rule Rule, latency time.Duration) {
	if latency > 0 && !a.wait(latency) {
		a.abandon()
	}
	switch rule.Effect {
	case Hang:
		a.hang()
		a.abandon()
	case Reset:
		a.breakOff("", true)
	case Cut:
		a.breakOff("HTTP/1.1 20", false)
	case Malformed:
		a.breakOff("220 cj.example ESMTP ready\r\n\r\n", false)
	case Empty:
		a.send(rule, http.StatusOK, "", "")
	case HTML:
		a.send(rule, http.StatusOK, htmlText, htmlPage)
	case Redirect:
		a.w.Header().Set("Location", rule.Location)
		a.send(rule, http.StatusFound, "", "")
	case Trickle:
		a.trickle(rule)
	case Headers:
		a.headers(rule)
	default:
		a.judged(rule)
	}
}

const (
	plainText = "text/plain; charset=utf-8"
	htmlText  = "text/html; charset=utf-8"
)

const htmlPage = `<!DOCTYPE html>
<html><head><title>Error</title></head><body><h1>We are sorry</h1><p>Something went wrong.</p></body></html>
`

// judged answers as the request deserves, or with the rule's status.
func (a *answer) judged(rule Rule) {
	switch {
	case rule.Status == http.StatusNoContent || rule.Status == http.StatusNotModified:
		a.send(rule, rule.Status, "", "")
	case rule.Status != 0 && rule.Body != "":
		a.send(rule, rule.Status, plainText, rule.Body)
	case rule.Status != 0:
		a.send(rule, rule.Status, plainText, http.StatusText(rule.Status)+"\n")
	case len(a.problems) == 0 || a.server.silent:
		a.send(rule, http.StatusOK, plainText, "OK\n")
	case a.notGET:
		a.w.Header().Set("Allow", http.MethodGet)
		a.send(rule, http.StatusMethodNotAllowed, plainText, strings.Join(a.problems, "\n")+"\n")
	default:
		a.send(rule, http.StatusBadRequest, plainText, strings.Join(a.problems, "\n")+"\n")
	}
}

// send settles the status and writes an answer whose body is known.
func (a *answer) send(rule Rule, status int, contentType, body string) {
	a.begin(rule, status, contentType, len(body))
	if body != "" {
		_, _ = a.w.Write([]byte(body)) // a client that is gone is no concern of ours
	}
}

// begin settles the status, the rule's or that of its effect, and writes the header.
func (a *answer) begin(rule Rule, status int, contentType string, length int) {
	if rule.Status != 0 {
		status = rule.Status
	}
	header := a.w.Header()
	if contentType != "" {
		header.Set("Content-Type", contentType)
	}
	if after, ok := strings.CutPrefix(rule.RetryAfter, "+"); ok && isDuration(after) {
		wait, _ := time.ParseDuration(after)
		header.Set("Retry-After", a.server.clock().Add(wait).UTC().Format(http.TimeFormat))
	} else if rule.RetryAfter != "" {
		header.Set("Retry-After", rule.RetryAfter)
	}
	if status != http.StatusNoContent && status != http.StatusNotModified {
		header.Set("Content-Length", strconv.Itoa(length))
	}
	a.settle(status)
	a.w.WriteHeader(status)
}

func isDuration(text string) bool {
	_, err := time.ParseDuration(text)
	return err == nil
}

func (a *answer) trickle(rule Rule) {
	body, contentType := rule.Body, plainText
	if body == "" {
		body, contentType = htmlPage, htmlText
	}
	a.begin(rule, http.StatusOK, contentType, len(body))
	for body != "" {
		piece := body[:min(rule.Bytes, len(body))]
		body = body[len(piece):]
		a.flush()
		if !a.wait(rule.Tick) {
			panic(http.ErrAbortHandler)
		}
		if _, err := a.w.Write([]byte(piece)); err != nil {
			return
		}
	}
}

func (a *answer) headers(rule Rule) {
	a.begin(rule, http.StatusOK, htmlText, len(htmlPage))
	a.flush()
	a.hang()
	panic(http.ErrAbortHandler)
}

func (a *answer) flush() {
	_ = http.NewResponseController(a.w).Flush() // a writer that cannot flush sends it all at the end
}

// wait returns false when the client gave up or the server closes first.
func (a *answer) wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.r.Context().Done():
	case <-a.server.closing:
	}
	return false
}

func (a *answer) hang() {
	select {
	case <-a.r.Context().Done():
	case <-a.server.closing:
	}
}

// breakOff takes the connection from the HTTP server, writes something or nothing, and closes it.
func (a *answer) breakOff(text string, reset bool) {
	conn, _, err := http.NewResponseController(a.w).Hijack()
	if err != nil {
		a.abandon() // HTTP/2 or a test recorder: no connection of its own to break
	}
	defer conn.Close()
	a.observe()
	if reset {
		sendReset(conn)
		return
	}
	_, _ = conn.Write([]byte(text))
}

// sendReset closes a TCP connection with RST instead of FIN.
func sendReset(conn net.Conn) {
	if wrapped, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = wrapped.NetConn() // TLS would say goodbye first
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// abandon ends a request without an answer.
func (a *answer) abandon() {
	a.observe()
	panic(http.ErrAbortHandler)
}

func (a *answer) settle(status int) {
	a.receipt.settle(status)
	a.observe()
}

func (a *answer) observe() {
	if a.server.observer != nil && a.receipt.index >= 0 {
		a.server.observer(a.receipt.ledger.entry(a.receipt.index).received(&a.server.book))
	}
}
