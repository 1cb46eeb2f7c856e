package capture

import (
	"cmp"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/net/publicsuffix"

	"github.com/cjrelay/cjrelay/schema"
)

// Defaults of Config.
const (
	// ClientRateDefault and ClientBurstDefault are what a thousand shoppers behind one address do not reach.
	ClientRateDefault  = 20
	ClientBurstDefault = 200
	// DrainDefault is well below the thirty seconds that a stop usually takes at most.
	DrainDefault = 5 * time.Second
	// DurableWaitDefault is far more than a group of clicks takes to reach a disk that works.
	DurableWaitDefault = 250 * time.Millisecond
	// SpoolBytesDefault holds about six million clicks.
	SpoolBytesDefault = 1 << 30
	// SpoolBytesMin is the smallest spool: a few segments.
	SpoolBytesMin = 4 * segmentBytes
	// TopicDefault is the click topic's usual name.
	TopicDefault = "cjevent"
)

const (
	// minSecret is the shortest secret, in bytes: shorter ones can be guessed from one companion cookie.
	minSecret = 16
	// maxDurableWait bounds how long a page may be held up for the disk.
	maxDurableWait = 10 * time.Second
)

// Config sets a Capture. Only Encode and Spool.Dir are needed; the zero value of the others has the default named
// with it.
type Config struct {
	// Client says how to reach Kafka: brokers, client id, security. Nothing connects before Run.
	Client []kgo.Opt
	// ClientBurst is how many clicks one client address may make at once beyond ClientRate. Defaults to
	// ClientBurstDefault.
	ClientBurst int
	// ClientRate is how many clicks a second one client address (an IPv6 network of 64 bits counts as one) may make
	// for long. Beyond it pages are served and CJ's cookie is set, but the click is written only by a later request of
	// the same shopper. Behind a proxy that is not among TrustedProxies all shoppers have one address. Defaults to
	// ClientRateDefault; negative means no limit.
	ClientRate float64
	// Consent says which requests allow to be caught. The zero value allows all.
	Consent Consent
	// CookieDomain is the domain that all hosts of the shop share, such as "example.com"; a leading dot changes
	// nothing. It must not be a public suffix (publicsuffix.org). Requests for a host outside of it, by
	// X-Forwarded-Host from a trusted proxy or else by Host, get cookies for that host alone. Empty: all do.
	// CJ asks for the parent domain (docs.cj.com/docs/http-cookie).
	CookieDomain string
	// Drain bounds how long Run goes on producing after its context has ended. What is left then stays in the
	// spool. Defaults to DrainDefault.
	Drain time.Duration
	// Durable holds a response that binds a click back until the click is on disk, at most DurableWait. A crash after
	// it loses nothing that was answered as bound. Where the disk is not done in time, the page goes out and the click
	// is not marked as bound, so that the shopper's next request writes it again.
	Durable bool
	// DurableWait bounds that. At most 10 s. Defaults to DurableWaitDefault.
	DurableWait time.Duration
	// Encode turns a click into a record's value: NewEncoder makes one.
	Encode Encoder
	// Log defaults to slog.Default().
	Log *slog.Logger
	// Partitioner spreads sessions over partitions. It must be the one that orders are spread with where the join is
	// co-partitioned. Nil means Java's, schema.PartitionerMurmur2.
	Partitioner schema.Partitioner
	// Secrets sign the companion cookie, each at least 16 bytes: the first signs, all are accepted, so that a new one
	// is put in front of the old one and the old one removed when it likes. All edges of a shop need the same. Empty:
	// one is made and kept in Spool.Dir, which does for a single edge.
	Secrets []string
	// SessionCookie is the shop's cookie whose value, as it stands in the header, is the session id that orders carry.
	// It is read from the request and from the response's own Set-Cookie.
	SessionCookie string
	// SessionHeader is the header whose value is such an id: of the response, where the shop names it to the edge, and
	// of the request when a trusted proxy sends it. It is never believed of a client, since customer ids can be
	// guessed.
	SessionHeader string
	// Spool is where clicks wait for Kafka.
	Spool Spool
	// Topic is the click topic. Defaults to TopicDefault.
	Topic string
	// TrustedProxies are the networks whose X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and SessionHeader are
	// believed. Empty: nobody's.
	TrustedProxies []netip.Prefix
}

// Spool is the directory where clicks wait for Kafka.
type Spool struct {
	// Dir is made when it is not there. One process uses it at a time. Its content outlives the process and must not
	// be deleted while clicks wait in it.
	Dir string
	// MaxBytes bounds what waits in it; further clicks are dropped and counted. At least SpoolBytesMin. Defaults to
	// SpoolBytesDefault.
	MaxBytes int64
}

// WithDefaults returns the configuration with every zero value replaced by its default.
func (c Config) WithDefaults() Config {
	c.ClientBurst = cmp.Or(c.ClientBurst, ClientBurstDefault)
	c.ClientRate = cmp.Or(c.ClientRate, ClientRateDefault)
	c.CookieDomain = strings.ToLower(strings.TrimPrefix(c.CookieDomain, "."))
	c.Drain = cmp.Or(c.Drain, DrainDefault)
	c.DurableWait = cmp.Or(c.DurableWait, DurableWaitDefault)
	c.Log = cmp.Or(c.Log, slog.Default())
	c.Spool.MaxBytes = cmp.Or(c.Spool.MaxBytes, SpoolBytesDefault)
	c.Topic = cmp.Or(c.Topic, TopicDefault)
	if c.Partitioner == nil {
		c.Partitioner, _ = schema.NewPartitioner(schema.PartitionerMurmur2)
	}
	return c
}

// validate names the first field that breaks a rule. The error is a *schema.FieldError.
func (c Config) validate() error {
	switch {
	case c.Encode == nil:
		return refuse("encode", "", "is required: use NewEncoder")
	case c.Spool.Dir == "":
		return refuse("spool_dir", "", "is required: a directory of this process alone")
	case c.Spool.MaxBytes < SpoolBytesMin:
		return refuse("spool_max_bytes", strconv.FormatInt(c.Spool.MaxBytes, 10), "must be at least "+strconv.Itoa(SpoolBytesMin))
	case c.DurableWait < 0 || c.DurableWait > maxDurableWait:
		return refuse("durable_wait", c.DurableWait.String(), "must be from 1ms to "+maxDurableWait.String())
	case c.Drain < 0:
		return refuse("drain", c.Drain.String(), "must be more than 0")
	case math.IsNaN(c.ClientRate) || c.ClientBurst < 1:
		return refuse("client_rate", strconv.FormatFloat(c.ClientRate, 'g', -1, 64), "must be a number, with a burst of at least 1")
	case c.SessionCookie != "" && !isToken(c.SessionCookie):
		return refuse("session_cookie", schema.Quoted(c.SessionCookie), "must be the name of a cookie, like sid")
	case IsOurCookie(c.SessionCookie):
		return refuse("session_cookie", schema.Quoted(c.SessionCookie), "must be the shop's cookie, not one that is set here")
	case c.SessionHeader != "" && !isToken(c.SessionHeader):
		return refuse("session_header", schema.Quoted(c.SessionHeader), "must be the name of a header, like X-Session-Id")
	case CarriesCookies(c.SessionHeader):
		return refuse("session_header", schema.Quoted(c.SessionHeader), "carries all cookies: name the session's in session_cookie")
	}
	for i, secret := range c.Secrets {
		if len(secret) < minSecret {
			return refuse("secrets["+strconv.Itoa(i)+"]", schema.Hidden(secret, nil), "must be at least 16 bytes; `openssl rand -hex 32` prints a good one")
		}
	}
	if i := slices.IndexFunc(c.TrustedProxies, func(p netip.Prefix) bool { return !p.IsValid() }); i >= 0 {
		return refuse("trusted_proxies["+strconv.Itoa(i)+"]", "", "must be a network like 10.0.0.0/8")
	}
	if err := checkDomain(c.CookieDomain); err != nil {
		return err
	}
	return c.Consent.validate()
}

// checkDomain refuses what browsers would refuse, or accept for the shops of strangers too.
func checkDomain(domain string) error {
	if domain == "" {
		return nil
	}
	const field = "cookie_domain"
	if _, err := netip.ParseAddr(domain); err == nil {
		return refuse(field, schema.Quoted(domain), "must be a domain, not an address: leave it out for cookies of the host alone")
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !isLabel(label) {
			return refuse(field, schema.Quoted(domain), "must be a domain of letters, digits and dashes, like example.com; write other letters in Punycode")
		}
	}
	if !strings.Contains(domain, ".") {
		return refuse(field, schema.Quoted(domain), "must have a dot: leave it out for cookies of the host alone")
	}
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain {
		return refuse(field, schema.Quoted(domain), "is a public suffix, under which others have shops, too; browsers refuse cookies for it: name the shop's own domain")
	}
	return nil
}

func isLabel(label string) bool {
	if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	return !strings.ContainsFunc(label, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
	})
}

// isToken tells whether a name may be a cookie's or a header's: a token of RFC 9110, section 5.6.2.
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune("()<>@,;:\\\"/[]?={}", r)
	})
}

// CarriesCookies tells whether a header of that name, in any case, holds cookies rather than one value.
func CarriesCookies(header string) bool {
	return strings.EqualFold(header, "Cookie") || strings.EqualFold(header, "Set-Cookie")
}

func refuse(field, value, rule string) error {
	return &schema.FieldError{Field: field, Value: value, Rule: rule}
}
