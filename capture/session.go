package capture

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/cjrelay/cjrelay/schema"
)

const (
	// maxSession is the longest session id that is believed, in bytes: tokens that shops put into cookies are shorter
	// than this, and each takes its room in the click topic and in every table that is read from it.
	maxSession = 1024
	// ownSession is the length of a session id that is made here: 128 random bits in hexadecimal.
	ownSession = 32
)

// validSession returns nil when a session id may be a key of the click topic: 1 to 1,024 visible ASCII characters, as
// cookies and headers hold. Otherwise the *schema.FieldError says what is wrong without showing the id.
func validSession(session string) error {
	switch {
	case session == "":
		return refuse("session", "", "is empty")
	case len(session) > maxSession:
		return refuse("session", schema.Hidden(session, nil), fmt.Sprintf("must be at most %d characters", maxSession))
	}
	for i := range len(session) {
		if session[i] <= ' ' || session[i] >= 0x7f {
			return refuse("session", schema.Hidden(session, visible), "must be visible ASCII")
		}
	}
	return nil
}

func visible(r rune) bool { return r > ' ' && r < 0x7f }

// newSession makes a session id for a shopper who shows none.
func newSession() string {
	var random [ownSession / 2]byte
	_, _ = rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}

// isOwnSession tells whether a value is of the form that newSession makes.
func isOwnSession(value string) bool {
	return len(value) == ownSession && !strings.ContainsFunc(value, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f')
	})
}

// requestSessions are the session ids that a request shows: the shop's, and ours.
func (c *Capture) requestSessions(r *http.Request) []string {
	var sessions []string
	if c.config.SessionCookie != "" {
		if cookie, ok := firstCookie(r, c.config.SessionCookie); ok {
			sessions = c.show(sessions, cookie)
		} else if unreadable(r, c.config.SessionCookie) {
			c.metrics.refused[refusedSession].Inc()
		}
	}
	if c.config.SessionHeader != "" && c.origin.trusted(r) {
		sessions = c.show(sessions, r.Header.Get(c.config.SessionHeader))
	}
	if own, ok := firstCookie(r, cookieSession); ok {
		if isOwnSession(own) {
			sessions = c.show(sessions, own)
		} else {
			c.metrics.refused[refusedSession].Inc()
		}
	}
	return sessions
}

// responseSessions adds those that the shop names in its response. Of several cookies of one name browsers keep the last.
func (c *Capture) responseSessions(sessions []string, header http.Header) []string {
	if c.config.SessionHeader != "" {
		sessions = c.show(sessions, header.Get(c.config.SessionHeader))
	}
	if c.config.SessionCookie == "" {
		return sessions
	}
	switch cookie, told := lastSet(header, c.config.SessionCookie); {
	case !told:
	case cookie == nil:
		c.metrics.refused[refusedSession].Inc()
	case !expires(cookie):
		sessions = c.show(sessions, cookie.Value)
	}
	return sessions
}

// show adds a session id that is legal and not there yet.
func (c *Capture) show(sessions []string, session string) []string {
	if session == "" || slices.Contains(sessions, session) {
		return sessions
	}
	if validSession(session) != nil {
		c.metrics.refused[refusedSession].Inc()
		return sessions
	}
	return append(sessions, session)
}

// firstCookie is the value of the first cookie of that name.
func firstCookie(r *http.Request, name string) (string, bool) {
	for _, cookie := range r.CookiesNamed(name) {
		return cookie.Value, true
	}
	return "", false
}

// unreadable tells whether a request has a cookie of that name, with a value, that net/http leaves out: one with
// characters that cookies may not have (RFC 6265, section 4.1.1), though browsers send it.
func unreadable(r *http.Request, name string) bool {
	for _, line := range r.Header["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			if given, value, _ := strings.Cut(part, "="); strings.TrimSpace(given) == name && value != "" {
				return true
			}
		}
	}
	return false
}
