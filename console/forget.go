package console

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// ForgetPath is where a session is forgotten: POST, with a ForgetRequest as JSON.
const ForgetPath = "/sessions/forget"

// ForgetRequest is the body of a POST to ForgetPath. The session is not in the address, since addresses end in logs.
type ForgetRequest struct {
	Session string `json:"session"`
}

const (
	// forgetBytes is more than any session id takes.
	forgetBytes = 16 << 10
	// forgetPatience is how long an erasure may take to reach the disk.
	forgetPatience = 5 * time.Second
)

// forget answers 204 when the erasure is safe on disk, 400 when the question is wrong, and 503 when it must be asked
// again.
func (s *Server) forget(w http.ResponseWriter, r *http.Request) {
	var asked ForgetRequest
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, forgetBytes))
	decoder.DisallowUnknownFields()
	// The decoder's own error may quote what it could not read.
	if decoder.Decode(&asked) != nil || asked.Session == "" || !errors.Is(decoder.Decode(&struct{}{}), io.EOF) {
		http.Error(w, `the body must be {"session": "…"}, one session that is not empty`, http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), forgetPatience)
	defer cancel()
	var illegal *schema.FieldError
	switch err := s.config.Forget(ctx, asked.Session); {
	case errors.As(err, &illegal):
		http.Error(w, err.Error(), http.StatusBadRequest)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}
