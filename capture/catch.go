package capture

import (
	"cmp"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Caught says what became of one request.
type Caught struct {
	// Clicked: the request brought a click id that may be caught.
	Clicked bool
	// Bound is under how many further session ids the shopper's click is written now.
	Bound int
	// Err is why it could not be written under all of them, nil when it could: the client makes too many clicks, the
	// queue or the spool is full, or with Config.Durable the disk was not done in time. The shopper's next request
	// tries again.
	Err error
}

// Catch does for one request what Middleware does, where there is no response of a shop to wait for: it adds the
// cookies to header, which becomes the response's. The request must be the shopper's own; who answers a proxy's
// sub-request puts the shopper's address, cookies and client into it first.
func (c *Capture) Catch(r *http.Request, header http.Header) Caught {
	visit := c.look(r)
	if visit == nil {
		return Caught{}
	}
	return c.answer(visit, header)
}

// visit is what a request shows of a shopper's click. It holds what the shop's handler may change meanwhile.
type visit struct {
	at time.Time
	// landed is the click id that the request brought, if any, and carried are those in CJ's cookies. There is one at least.
	landed  string
	carried []string
	// known is the companion cookie, where it is ours. stale tells that it is sealed with a secret that is not the first.
	known    companion
	stale    bool
	sessions []string
	client   netip.Addr
	host     string
	secure   bool
}

// look reads a request. It returns nil when there is nothing to do.
func (c *Capture) look(r *http.Request) *visit {
	landed := c.landed(r)
	carried := c.carried(r)
	if c.config.Consent.required() {
		switch given := c.config.Consent.given(r); {
		case !given && landed != "":
			c.metrics.refused[refusedConsent].Inc()
			return nil
		case !given:
			return nil
		case landed == "" && len(carried) == 0:
			landed = c.referred(r)
		}
	}
	if landed == "" && len(carried) == 0 {
		return nil
	}
	v := &visit{
		at: now(), landed: landed, carried: carried, sessions: c.requestSessions(r),
		client: c.origin.client(r), host: c.origin.host(r), secure: c.origin.secure(r),
	}
	for _, sealed := range r.CookiesNamed(cookieCompanion) {
		c.remember(v, sealed.Value)
	}
	return v
}

// carried are the click ids in CJ's cookies. There may be several: one of the host alone beside one of its domain.
func (c *Capture) carried(r *http.Request) []string {
	var ids []string
	for _, cookie := range r.CookiesNamed(cookieCJ) {
		if schema.ValidClickID(cookie.Value) != nil {
			c.metrics.refused[refusedCookie].Inc()
			continue
		}
		ids = append(ids, cookie.Value)
	}
	return ids
}

// landed is the click id in a request's address, or "".
func (c *Capture) landed(r *http.Request) string {
	id, there, refused := clickInQuery(r.URL.RawQuery)
	if there {
		c.metrics.landings.Inc()
	}
	if refused != "" {
		c.metrics.refused[refused].Inc()
	}
	return id
}

// referred is the click id of the page that the request was made from, when that is one of this host: a landing whose
// click was not caught because the shopper had not agreed yet.
func (c *Capture) referred(r *http.Request) string {
	from, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || from.Host == "" || hostName(from.Host) != c.origin.host(r) {
		return ""
	}
	id, _, _ := clickInQuery(from.RawQuery)
	return id
}

// remember takes in a companion cookie. Of several the one with the latest click counts.
func (c *Capture) remember(v *visit, sealed string) {
	known, by, ours := c.keys.open(sealed)
	switch {
	case !ours:
		c.metrics.refused[refusedCompanion].Inc()
		return
	case known.left(v.at) <= 0, known.click.CapturedAt.Before(v.known.click.CapturedAt):
		return
	}
	if v.stale = by != c.keys[0]; v.stale {
		// What another secret's hashes stand for is unknown but for the sessions that are shown.
		var shown []sessionHash
		for _, session := range v.sessions {
			if known.binds(by.hash(session)) {
				shown = append(shown, c.keys[0].hash(session))
			}
		}
		known.bound = shown
	}
	v.known = known
}

// click is the shopper's click with the sessions that it is bound to. The one that the request brought counts before
// the one in CJ's cookie, which is the last that any tool has set. When it was caught, and where it was written, only
// the companion knows; a click that it does not know is caught now.
func (v *visit) click() (click companion, isNew bool) {
	id := v.landed
	switch known := v.known.click.ID; {
	case id == "" && slices.Contains(v.carried, known), id != "" && id == known:
		return v.known, false
	case id == "":
		id = v.carried[0]
	}
	return companion{click: schema.Click{ID: id, CapturedAt: v.at}}, true
}

// answer writes the shopper's click under the sessions that request and response show and that it is not bound to yet,
// and adds the cookies to the response's header.
func (c *Capture) answer(v *visit, header http.Header) Caught {
	if cookie, told := lastSet(header, cookieCJ); told && cookie != nil && expires(cookie) {
		// The shop forgets its shopper, who is most likely logged out with it. Written under the next session now, the
		// click would come behind its erasure.
		if v.landed != "" {
			c.metrics.refused[refusedByShop].Inc()
		}
		return Caught{}
	}
	click, isNew := v.click()
	sessions := c.responseSessions(v.sessions, header)
	made := ""
	if len(sessions) == 0 && v.landed != "" {
		made = newSession()
		sessions = []string{made}
	}
	bound, err := c.bind(&click, sessions, v)
	switch {
	case bound == 0:
	case !isNew:
		c.metrics.rebound.Add(float64(bound))
	case v.landed != "":
		c.metrics.caught.Inc()
	default:
		c.metrics.adopted.Inc()
	}

	var cookies []string
	if v.landed != "" {
		cookies = append(cookies, c.cookie(cookieCJ, v.landed, cookieLife, v.host))
		c.metrics.cookies.Inc()
	}
	if made != "" {
		cookies = append(cookies, c.cookie(cookieSession, made, cookieLife, v.host))
	}
	if bound > 0 || isNew && v.landed != "" || v.stale && !isNew {
		cookies = append(cookies, c.cookie(cookieCompanion, c.keys[0].seal(click), click.left(v.at), v.host))
	}
	if len(cookies) > 0 {
		c.set(v, header, cookies)
	}
	return Caught{Clicked: v.landed != "", Bound: bound, Err: err}
}

// set adds cookies to a response's header.
func (c *Capture) set(v *visit, header http.Header, cookies []string) {
	for _, cookie := range cookies {
		header.Add("Set-Cookie", cookie)
	}
	keepPrivate(header)
	if !v.secure {
		c.metrics.insecure.Inc()
		c.saidInsecure.Do(func() {
			c.config.Log.Warn("cookies were set on plain HTTP, where browsers refuse them; if TLS ends at a proxy, name that in trusted_proxies and let it send X-Forwarded-Proto")
		})
	}
	if c.config.CookieDomain != "" && !c.covers(v.host) {
		c.metrics.foreignHost.Inc()
		c.saidForeignHost.Do(func() {
			c.config.Log.Warn("a request's host is outside of cookie_domain and gets cookies for itself alone; if a proxy changes Host, name that in trusted_proxies and let it send X-Forwarded-Host",
				"host", schema.Quoted(v.host), "cookie_domain", c.config.CookieDomain)
		})
	}
}

// bind writes a click under the sessions that it is not bound to, and binds it to those where that worked. The error is
// the first of those where it did not.
func (c *Capture) bind(click *companion, sessions []string, v *visit) (bound int, err error) {
	type writing struct {
		*entry
		hash sessionHash
	}
	var writings []writing
	for _, session := range sessions {
		hash := c.keys[0].hash(session)
		if click.binds(hash) {
			continue
		}
		if len(writings) == 0 && !c.limiter.allow(v.client, v.at) {
			c.metrics.refused[refusedFlood].Inc()
			c.saidFlood.Do(func() {
				c.config.Log.Warn("a client makes more clicks than client_rate allows; if it is a proxy, name that in trusted_proxies and let it send X-Forwarded-For")
			})
			return 0, errFlood
		}
		entry := newEntry(record{kind: put, session: session, click: click.click.ID, at: click.click.CapturedAt})
		if added := c.queue.add(entry); added != nil {
			err = cmp.Or(err, added)
			continue
		}
		writings = append(writings, writing{entry, hash})
	}
	if !c.config.Durable || len(writings) == 0 {
		for _, w := range writings {
			click.bind(w.hash)
		}
		return len(writings), err
	}
	// It is closed, so that all see it: the page waits once, whatever it binds.
	late := make(chan struct{})
	timer := time.AfterFunc(c.config.DurableWait, func() { close(late) })
	defer timer.Stop()
	for _, w := range writings {
		if failed := w.await(late); failed != nil {
			err = cmp.Or(err, failed)
			continue
		}
		click.bind(w.hash)
		bound++
	}
	if bound < len(writings) {
		c.metrics.undurable.Inc()
	}
	return bound, err
}
