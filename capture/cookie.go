package capture

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// The cookies that are set here.
const (
	// cookieCJ is CJ's own name (docs.cj.com/docs/http-cookie). Its Universal Tag reads it, so it is not HttpOnly.
	cookieCJ = "cje"
	// cookieCompanion remembers when the click was caught and under which sessions it was written.
	cookieCompanion = "cjrelay_click"
	// cookieSession is a session id for shoppers who show none.
	cookieSession = "cjrelay_session"
)

// IsOurCookie tells whether cookies of that name are set by this package, so that no shop's session can be in them.
func IsOurCookie(name string) bool {
	return name == cookieCJ || name == cookieCompanion || name == cookieSession
}

// cookie writes a Set-Cookie header for a request to host. A life of less than 0 expires it.
func (c *Capture) cookie(name, value string, life time.Duration, host string) string {
	set := http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: true, HttpOnly: name != cookieCJ, SameSite: http.SameSiteLaxMode,
	}
	if life < 0 {
		set.MaxAge = -1
	}
	if c.covers(host) {
		set.Domain = c.config.CookieDomain
	}
	return set.String()
}

// lastSet is the cookie of that name that a browser keeps of a response: of several the last. told is false when the
// response says nothing of it; the cookie is nil when what it says cannot be read.
func lastSet(header http.Header, name string) (cookie *http.Cookie, told bool) {
	for _, line := range slices.Backward(header["Set-Cookie"]) {
		if set, _, _ := strings.Cut(line, "="); strings.TrimSpace(set) == name {
			cookie, err := http.ParseSetCookie(line)
			if err != nil {
				return nil, true
			}
			return cookie, true
		}
	}
	return nil, false
}

// expires tells whether a response takes a cookie away. Max-Age counts before Expires (RFC 6265, section 5.3).
func expires(cookie *http.Cookie) bool {
	return cookie.MaxAge < 0 || cookie.MaxAge == 0 && !cookie.Expires.IsZero() && cookie.Expires.Before(time.Now())
}

// covers tells whether a browser takes a cookie for the cookie domain from that host.
func (c *Capture) covers(host string) bool {
	domain := c.config.CookieDomain
	if domain == "" {
		return false
	}
	under, found := strings.CutSuffix(host, domain)
	return found && (under == "" || strings.HasSuffix(under, "."))
}

// keepPrivate keeps shared caches from storing a response with one shopper's cookies, which they may do
// (RFC 9111, section 7.3): they would hand one shopper's click to all others.
func keepPrivate(header http.Header) {
	// They may overrule Cache-Control (RFC 9213) and are for nobody but the caches.
	header.Del("CDN-Cache-Control")
	header.Del("Surrogate-Control")
	kept := []string{"private"}
	for directive := range strings.SplitSeq(strings.Join(header["Cache-Control"], ","), ",") {
		directive = strings.TrimSpace(directive)
		name, _, limited := strings.Cut(strings.ToLower(directive), "=")
		switch {
		case name == "no-store", name == "private" && !limited:
			return
		case name == "", name == "public", name == "s-maxage", name == "private":
		default:
			kept = append(kept, directive)
		}
	}
	header.Set("Cache-Control", strings.Join(kept, ", "))
}
