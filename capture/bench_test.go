package capture

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// What the edge adds to a page, beside the bare handler: for a page without a click, for one of a shopper whose click
// is bound, and for a landing, with the disk behind it.
func BenchmarkMiddleware(b *testing.B) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a page")) })
	request := func(path string, cookies ...*http.Cookie) *http.Request {
		r := httptest.NewRequest(http.MethodGet, shop+path, nil)
		r.RemoteAddr = "203.0.113.7:1"
		for _, cookie := range cookies {
			r.AddCookie(cookie)
		}
		return r
	}
	edge := setup(b, func(c *Config) { c.ClientRate = -1; c.Spool.MaxBytes = 100 << 30 })
	edge.browser.has("sid", "s-1")
	edge.browser.get("/?cjevent=" + clickA)
	edge.queued()
	bound := request("/shoes?size=42", &http.Cookie{Name: "sid", Value: "s-1"}, &http.Cookie{Name: "cje", Value: clickA},
		&http.Cookie{Name: cookieCompanion, Value: edge.browser.cookie(cookieCompanion)}, &http.Cookie{Name: "other", Value: "x"})
	edge.start()
	for _, one := range []struct {
		name    string
		handler http.Handler
		request *http.Request
	}{
		{"Bare", page, request("/shoes?size=42")},
		{"NoClick", edge.Middleware(page), request("/shoes?size=42")},
		{"Bound", edge.Middleware(page), bound},
		{"Landing", edge.Middleware(page), request("/shoes?size=42&cjevent=" + clickA)},
	} {
		b.Run(one.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				one.handler.ServeHTTP(httptest.NewRecorder(), one.request)
			}
		})
	}
}
