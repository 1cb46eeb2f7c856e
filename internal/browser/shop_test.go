//go:build browser

package browser_test

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// shop is a small shop, as shops are: it gives visitors a session, another one at login, and drops the query of its
// landing pages by a redirect.
type shop struct {
	orders *kgo.Client
	topic  string

	mu       sync.Mutex
	sessions int
	bought   int
	failed   error
}

func (s *shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := r.Cookie("sid"); err != nil {
		s.startSession(w, "visit")
	}
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/login":
		s.startSession(w, "customer")
		http.Redirect(w, r, "/", http.StatusSeeOther)
	case r.Method == http.MethodPost && r.URL.Path == "/buy":
		s.buy(r)
		http.Redirect(w, r, "/thanks", http.StatusSeeOther)
	case r.URL.RawQuery != "":
		http.Redirect(w, r, r.URL.Path, http.StatusMovedPermanently)
	default:
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><title>%s</title>
<form method=post action=/login><button id=login>log in</button></form>
<form method=post action=/buy><button id=buy>buy</button></form>`, r.URL.Path)
	}
}

// startSession gives the visitor a session that no one had before.
func (s *shop) startSession(w http.ResponseWriter, kind string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions++
	http.SetCookie(w, &http.Cookie{Name: "sid", Value: fmt.Sprintf("%s-%d", kind, s.sessions), Path: "/", Secure: true, HttpOnly: true})
}

// buy confirms an order of the visitor's session.
func (s *shop) buy(r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bought++
	session, err := r.Cookie("sid")
	if err != nil {
		s.failed = err
		return
	}
	price, _ := schema.ParseMoney("22.99")
	order := &schema.Order{ID: fmt.Sprintf("ORD-%d", s.bought), SessionID: session.Value, ConfirmedAt: time.Now().UTC().Truncate(time.Millisecond), Currency: "USD",
		Items: []schema.Item{{SKU: "SKU-1", UnitPrice: price, Quantity: 1}}}
	value, err := order.MarshalJSON()
	if err == nil {
		err = s.orders.ProduceSync(r.Context(), &kgo.Record{Topic: s.topic, Key: []byte(order.ID), Value: value}).FirstErr()
	}
	s.failed = err
}

// partner is another site, with links into the shop as CJ's end up.
func partner(links ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>partner</title>")
		for i, link := range links {
			fmt.Fprintf(w, "<p><a id=link%d href='%s'>a shoe</a>", i+1, link)
		}
	})
}
