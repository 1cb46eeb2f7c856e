package cjtest

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

const (
	adminPrefix    = "/_cjtest/"
	maxScriptBytes = 64 << 10
)

// admin answers people and scripts:
//
//	GET  /_cjtest/received[?order=ID]  one JSON object a line, in the order of arrival
//	GET  /_cjtest/summary              a Summary as JSON
//	POST /_cjtest/script               the body is the new script, see ParseScript; answers it rule by rule
//	POST /_cjtest/reset                forgets everything received
func (s *Server) admin(w http.ResponseWriter, r *http.Request) {
	handlers := map[string]struct {
		method string
		handle func(http.ResponseWriter, *http.Request)
	}{
		"received": {http.MethodGet, s.adminReceived},
		"summary":  {http.MethodGet, s.adminSummary},
		"script":   {http.MethodPost, s.adminScript},
		"reset":    {http.MethodPost, s.adminReset},
	}
	found, ok := handlers[strings.TrimPrefix(r.URL.Path, adminPrefix)]
	switch {
	case !ok:
		http.Error(w, "cjtest: nothing here: ask for received, summary, script or reset", http.StatusNotFound)
	case r.Method != found.method:
		w.Header().Set("Allow", found.method)
		http.Error(w, "cjtest: use "+found.method, http.StatusMethodNotAllowed)
	default:
		found.handle(w, r)
	}
}

func (s *Server) adminReceived(w http.ResponseWriter, r *http.Request) {
	entries := s.ledger.Load().snapshot
	if query := r.URL.Query(); query.Has("order") {
		entries = func() []entry { return s.ledger.Load().of(query.Get("order")) }
	}
	w.Header().Set("Content-Type", "application/jsonl")
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // a query stays readable: & and not \u0026
	for _, e := range entries() {
		if encoder.Encode(e.received(&s.book)) != nil {
			return // the client is gone
		}
	}
}

func (s *Server) adminSummary(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.Summary())
}

func (s *Server) adminScript(w http.ResponseWriter, r *http.Request) {
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxScriptBytes))
	if err != nil {
		http.Error(w, "cjtest: the script could not be read, it may have 64 KiB at most", http.StatusBadRequest)
		return
	}
	rules, err := ParseScript(string(text))
	if err != nil {
		http.Error(w, "cjtest: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.Script(rules...)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	for _, rule := range rules {
		_, _ = io.WriteString(w, rule.String()+"\n")
	}
}

func (s *Server) adminReset(w http.ResponseWriter, _ *http.Request) {
	s.Reset()
	w.WriteHeader(http.StatusNoContent)
}
