package edge

import (
	"crypto/rand"
	"net/http"
	"slices"
)

// hopHeader carries a value for each edge that a request has passed. It is not Via: shops behind nginx stop compressing
// where that is.
const hopHeader = "Cjrelay-Hop"

// newHop is a value that no other edge has.
func newHop() string { return rand.Text() }

// once serves what comes for the first time. A request that this edge has sent to the shop already would go round until
// no connection is left: capture.upstream then leads back here, most often as the shop's public name.
func (p *proxy) once(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !slices.Contains(r.Header[hopHeader], p.hop) {
			next.ServeHTTP(w, r)
			return
		}
		p.failures.Inc()
		p.seldom.Do(func() {
			p.log.Error("capture.upstream leads back to this edge: name the shop's own address", "upstream", p.upstream.Host)
		})
		w.Header().Set("Cache-Control", "no-store")
		http.Error(w, "508: the shop's address leads back to this edge", http.StatusLoopDetected)
	})
}
