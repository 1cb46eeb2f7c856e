package capture

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// Middleware catches the clicks of the requests that pass. Cookies are added when the response's header is written: by
// then the shop may have named a session, and a redirect that strips the query carries them, too. Responses are passed
// on as they are written; no body is kept. Informational responses (1xx) pass through, and so do a switch of protocols
// and a connection that the handler hijacks: what those bring is caught with the shopper's next request. A response that
// expires CJ's cookie stays as it is: the shop forgets its shopper.
func (c *Capture) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		visit := c.look(r)
		if visit == nil {
			next.ServeHTTP(w, r)
			return
		}
		response := &response{ResponseWriter: w, capture: c, visit: visit}
		next.ServeHTTP(response.outfit(), r)
		// A handler that wrote nothing has answered 200 with what is in the header.
		response.begin()
	})
}

// response adds the cookies just before the header goes out.
type response struct {
	http.ResponseWriter
	capture *Capture
	visit   *visit
	begun   bool
}

// begin is called before anything can be written.
func (w *response) begin() {
	if !w.begun {
		w.begun = true
		w.capture.answer(w.visit, w.Header())
	}
}

// WriteHeader implements http.ResponseWriter. After an informational response comes another.
func (w *response) WriteHeader(status int) {
	switch {
	case status == http.StatusSwitchingProtocols:
		w.begun = true
	case status >= 200:
		w.begin()
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(body []byte) (int, error) {
	w.begin()
	return w.ResponseWriter.Write(body)
}

// WriteString implements io.StringWriter.
func (w *response) WriteString(body string) (int, error) {
	w.begin()
	return io.WriteString(w.ResponseWriter, body)
}

// FlushError lets http.ResponseController flush: it sends the header when that has not gone out yet.
func (w *response) FlushError() error {
	w.begin()
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Unwrap lets http.ResponseController reach what is not wrapped here, such as deadlines.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// outfit gives the response the further faces that the server's has, since handlers ask for them by type: those of
// HTTP/1.1 or of HTTP/2. One that has others has at least http.ResponseController's.
func (w *response) outfit() http.ResponseWriter {
	_, flushes := w.ResponseWriter.(http.Flusher)
	_, hijacks := w.ResponseWriter.(http.Hijacker)
	_, reads := w.ResponseWriter.(io.ReaderFrom)
	_, pushes := w.ResponseWriter.(http.Pusher)
	switch {
	case flushes && hijacks && reads:
		return struct {
			*response
			flusher
			hijacker
			readerFrom
		}{w, flusher{w}, hijacker{w}, readerFrom{w}}
	case flushes && hijacks:
		return struct {
			*response
			flusher
			hijacker
		}{w, flusher{w}, hijacker{w}}
	case flushes && pushes:
		return struct {
			*response
			flusher
			pusher
		}{w, flusher{w}, pusher{w}}
	case flushes:
		return struct {
			*response
			flusher
		}{w, flusher{w}}
	}
	return w
}

// The faces are types of their own so that a response has exactly those that it is given.
type (
	flusher    struct{ of *response }
	hijacker   struct{ of *response }
	readerFrom struct{ of *response }
	pusher     struct{ of *response }
)

// Flush implements http.Flusher.
func (f flusher) Flush() { _ = f.of.FlushError() }

// Hijack implements http.Hijacker. The handler writes the response by itself then.
func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	connection, buffer, err := h.of.ResponseWriter.(http.Hijacker).Hijack()
	if err == nil {
		h.of.begun = true
	}
	return connection, buffer, err
}

// ReadFrom implements io.ReaderFrom, which lets files go out without a copy.
func (f readerFrom) ReadFrom(body io.Reader) (int64, error) {
	f.of.begin()
	return f.of.ResponseWriter.(io.ReaderFrom).ReadFrom(body)
}

// Push implements http.Pusher.
func (p pusher) Push(target string, options *http.PushOptions) error {
	return p.of.ResponseWriter.(http.Pusher).Push(target, options)
}
