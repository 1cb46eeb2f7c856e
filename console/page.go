package console

import (
	"embed"
	"io/fs"
	"net/http"
)

// assets are the page's files. They have no data in them.
//
//go:embed page
var assets embed.FS

// policy lets the page do nothing but talk to this port: what an order or an error message contains can neither run nor
// load anything.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page is the console itself, which shows what /events and /orders say. To who may not see that it asks for the token,
// and the status says so too.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		s.file(w, "page/index.html", "text/html; charset=utf-8", http.StatusUnauthorized)
		return
	}
	s.file(w, "page/index.html", "text/html; charset=utf-8", http.StatusOK)
}

func (s *Server) file(w http.ResponseWriter, name, kind string, status int) {
	content, err := fs.ReadFile(assets, name)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	header := w.Header()
	header.Set("Content-Type", kind)
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	// Another version of the program has another page.
	header.Set("Cache-Control", "no-cache")
	w.WriteHeader(status)
	_, _ = w.Write(content)
}

func (s *Server) pageRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", s.page)
	for name, kind := range map[string]string{
		"console.js": "text/javascript; charset=utf-8", "ribbon.js": "text/javascript; charset=utf-8", "orders.js": "text/javascript; charset=utf-8",
		"charts.js": "text/javascript; charset=utf-8", "letters.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
		"console.css": "text/css; charset=utf-8",
	} {
		mux.HandleFunc("GET /page/"+name, func(w http.ResponseWriter, _ *http.Request) { s.file(w, "page/"+name, kind, http.StatusOK) })
	}
	mux.Handle("GET /state", s.guarded(s.statePage))
	mux.Handle("GET /history", s.guarded(s.historyPage))
	mux.Handle("GET /events", s.guarded(s.events))
	mux.Handle("GET /orders", s.guarded(s.orders))
}
