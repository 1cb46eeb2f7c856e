package console

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// guarded lets a request through with the token, or when the port can be reached from this machine only and
// is asked for under this machine's name: a page in a browser here can point a name of its own at loopback.
func (s *Server) guarded(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.allowed(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this page needs the admin token: set admin.token and send it as Authorization: Bearer", http.StatusUnauthorized)
			return
		}
		next(w, r)
	})
}

// action lets a request through that changes something: only with the token, from this machine too. A token in a header
// is also what no strange page in a browser can send.
func (s *Server) action(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case s.config.Token == "":
			http.Error(w, "actions are off: set admin.token", http.StatusForbidden)
		case !s.knows(r):
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this needs the admin token: send it as Authorization: Bearer", http.StatusUnauthorized)
		default:
			next(w, r)
		}
	})
}

// allowed tells whether a request may see what is guarded.
func (s *Server) allowed(r *http.Request) bool {
	address, _ := s.listener.Addr().(*net.TCPAddr)
	return address != nil && address.IP.IsLoopback() && namesLoopback(r.Host) || s.knows(r)
}

// namesLoopback tells whether a Host header means this machine.
func namesLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return host == "localhost" || net.ParseIP(strings.Trim(host, "[]")).IsLoopback()
}

// knows tells whether a request carries the token. Without a token nobody does.
func (s *Server) knows(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	// The scheme is case-insensitive: RFC 9110, section 11.1.
	return s.config.Token != "" && strings.EqualFold(scheme, "Bearer") &&
		subtle.ConstantTimeCompare([]byte(strings.TrimLeft(given, " ")), []byte(s.config.Token)) == 1
}
