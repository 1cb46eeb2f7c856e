package capture

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

const (
	// cookieLife is what CJ asks for: 13 months, 395 days, 34,128,000 s (docs.cj.com/docs/http-cookie).
	cookieLife = 395 * 24 * time.Hour
	// maxBound is how many sessions a companion remembers. A shop that makes a new id with every answer must not fill
	// the cookie; one that is forgotten is only written again.
	maxBound = 16
	// companionVersion begins the value. Another one is not ours.
	companionVersion = "1"
	// maxCompanion is more than the longest value takes.
	maxCompanion = 512
)

// companion is what the companion cookie remembers of a shopper's click. Its value is
//
//	version.time.click.sessions.mac
//
// with the time of capture in milliseconds, base 36, and the sessions as 8 bytes of a keyed hash each, so that the
// cookie tells nobody their ids. The zero value is no companion.
type companion struct {
	click schema.Click
	bound []sessionHash
}

// sessionHash stands for a session in a companion. It depends on the secret.
type sessionHash [8]byte

// binds tells whether the click was written under a session.
func (c companion) binds(session sessionHash) bool {
	for _, known := range c.bound {
		if known == session {
			return true
		}
	}
	return false
}

// bind remembers a session that is not bound yet; the oldest of too many is forgotten.
func (c *companion) bind(session sessionHash) {
	if len(c.bound) == maxBound {
		c.bound = c.bound[1:]
	}
	c.bound = append(c.bound, session)
}

// left is how long the cookie should live on.
func (c companion) left(at time.Time) time.Duration {
	return min(cookieLife, cookieLife-at.Sub(c.click.CapturedAt))
}

// seal writes the cookie's value.
func (k key) seal(c companion) string {
	text := make([]byte, 0, maxCompanion)
	text = append(text, companionVersion+"."...)
	text = strconv.AppendInt(text, c.click.CapturedAt.UnixMilli(), 36)
	text = append(text, '.')
	text = append(text, c.click.ID...)
	text = append(text, '.')
	flat := make([]byte, 0, maxBound*len(sessionHash{}))
	for i := range c.bound {
		flat = append(flat, c.bound[i][:]...)
	}
	text = base64.RawURLEncoding.AppendEncode(text, flat)
	mac := k.mac(labelCompanion, string(text))
	text = append(text, '.')
	return string(base64.RawURLEncoding.AppendEncode(text, mac[:macBytes]))
}

// open reads a value that one of the keys has sealed, and returns that key: only with it can the sessions be compared.
func (k keys) open(value string) (companion, key, bool) {
	dot := strings.LastIndexByte(value, '.')
	if len(value) > maxCompanion || dot < 0 {
		return companion{}, key{}, false
	}
	sum, err := base64.RawURLEncoding.Strict().DecodeString(value[dot+1:])
	if err != nil || len(sum) != macBytes {
		return companion{}, key{}, false
	}
	for _, candidate := range k {
		if candidate.signed(labelCompanion, value[:dot], sum) {
			c, ok := parseCompanion(value[:dot])
			return c, candidate, ok
		}
	}
	return companion{}, key{}, false
}

// parseCompanion reads what stands before the MAC, which was right: the rest is as we wrote it, unless a version of
// ours did not.
func parseCompanion(text string) (c companion, ok bool) {
	fields := strings.Split(text, ".")
	if len(fields) != 4 || fields[0] != companionVersion || schema.ValidClickID(fields[2]) != nil {
		return companion{}, false
	}
	milliseconds, err := strconv.ParseInt(fields[1], 36, 64)
	if err != nil || milliseconds <= 0 {
		return companion{}, false
	}
	flat, err := base64.RawURLEncoding.Strict().DecodeString(fields[3])
	if err != nil || len(flat)%len(sessionHash{}) != 0 || len(flat) > maxBound*len(sessionHash{}) {
		return companion{}, false
	}
	c.click = schema.Click{ID: fields[2], CapturedAt: time.UnixMilli(milliseconds).UTC()}
	for ; len(flat) > 0; flat = flat[len(sessionHash{}):] {
		c.bound = append(c.bound, sessionHash(flat))
	}
	return c, true
}
