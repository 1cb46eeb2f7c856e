package console

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"
)

// guarded lets a request through with the token, or when the port can be reached from this machine only.
func (s *Server) guarded(next http.HandlerFunc) http.Handler {
	address, _ := s.listener.Addr().(*net.TCPAddr)
	local := address != nil && address.IP.IsLoopback()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !local && !s.knows(r) {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "this page needs the admin token: set admin.token and send it as Authorization: Bearer", http.StatusUnauthorized)
			return
		}
		next(w, r)
	})
}

// knows tells whether a request carries the token. Without a token nobody does.
func (s *Server) knows(r *http.Request) bool {
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	// The scheme is case-insensitive: RFC 9110, section 11.1.
	return s.config.Token != "" && strings.EqualFold(scheme, "Bearer") &&
		subtle.ConstantTimeCompare([]byte(strings.TrimLeft(given, " ")), []byte(s.config.Token)) == 1
}
