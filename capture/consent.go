package capture

import (
	"net/http"
	"net/url"
	"regexp"

	"github.com/cjrelay/cjrelay/schema"
)

// Consent is the signal by which a shop's consent tool tells that a shopper agreed. Without it nothing is set, written
// or remembered, also not for a click that was caught before. CJ leaves no way around it
// (docs.cj.com/docs/consent-signal-and-loyalty-exemption).
//
// A shopper's first page usually comes without consent, and with the click id. Nothing may be kept then. The click is
// caught all the same when the shopper agrees: by the next request of that page, whose Referer is still the landing
// page's address.
//
// The zero value asks for no consent.
type Consent struct {
	// Cookie is the name of a request's cookie that holds the signal.
	Cookie string
	// Header is the name of a request's header that holds it. With both, either will do.
	Header string
	// Pattern is what the signal must match, anywhere in it; anchor it with ^ and $ for the whole. A cookie's value is
	// matched as it stands and percent-decoded. Required with Cookie or Header.
	Pattern *regexp.Regexp
}

// required tells whether consent is asked for at all.
func (c Consent) required() bool { return c.Cookie != "" || c.Header != "" }

func (c Consent) validate() error {
	switch {
	case c.Cookie != "" && !isToken(c.Cookie):
		return refuse("consent_cookie", schema.Quoted(c.Cookie), "must be the name of a cookie")
	case c.Header != "" && !isToken(c.Header):
		return refuse("consent_header", schema.Quoted(c.Header), "must be the name of a header")
	case c.required() && c.Pattern == nil:
		return refuse("consent_pattern", "", "is required with a consent cookie or header: a regular expression, like ^accepted$")
	case !c.required() && c.Pattern != nil:
		return refuse("consent_pattern", "", "needs a consent cookie or a consent header to look at")
	}
	return nil
}

// given tells whether the request may be caught.
func (c Consent) given(r *http.Request) bool {
	if !c.required() {
		return true
	}
	if c.Header != "" {
		for _, value := range r.Header.Values(c.Header) {
			if c.Pattern.MatchString(value) {
				return true
			}
		}
	}
	if c.Cookie != "" {
		for _, cookie := range r.CookiesNamed(c.Cookie) {
			if c.Pattern.MatchString(cookie.Value) {
				return true
			}
			if decoded, err := url.PathUnescape(cookie.Value); err == nil && c.Pattern.MatchString(decoded) {
				return true
			}
		}
	}
	return false
}
