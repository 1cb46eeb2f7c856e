package config

import (
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/cjrelay/cjrelay/capture"
)

// Capture is the shop's edge, where clicks are caught.
type Capture struct {
	// Listen is the address that shoppers' requests arrive at, as host:port. Default: 127.0.0.1:8088.
	Listen string `koanf:"listen"`
	// Upstream is the shop behind the reverse proxy, http or https. Without it the edge is an endpoint that nginx,
	// Envoy or a CDN asks. Default: none.
	Upstream string `koanf:"upstream"`
	// CookieDomain is the shop's registrable domain with a leading dot, so that the cookie reaches every host of the
	// shop; CJ asks for it. Without it the cookie stays with the host that set it. Default: none.
	CookieDomain string `koanf:"cookie_domain"`
	// SessionCookie is the shop's cookie that carries the session id which orders will carry too. Default: none.
	SessionCookie string `koanf:"session_cookie"`
	// SessionHeader is a header that carries such an id, for example a customer's: of the shop's response, or of a
	// request that a trusted proxy sends. Default: none.
	SessionHeader string `koanf:"session_header"`
	// ConsentCookie is the cookie in which the shop's consent tool keeps what the shopper agreed to. Without it and
	// capture.consent_header every click is caught. Default: none.
	ConsentCookie string `koanf:"consent_cookie"`
	// ConsentHeader is a header of the request that tells the same; with both, either will do. Default: none.
	ConsentHeader string `koanf:"consent_header"`
	// ConsentPattern is the regular expression that the cookie or header matches where the shopper agreed; ^ and $
	// anchor it. Needed with either. Default: none.
	ConsentPattern string `koanf:"consent_pattern"`
	// TrustedProxies are the addresses or networks whose X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host and
	// X-Original-URI are believed. Needed where there is no upstream: only they may ask. Default: [].
	TrustedProxies []string `koanf:"trusted_proxies"`
	// Secret signs the cookie that remembers when a click was caught. All edges of a shop need the same one. At least
	// 16 visible ASCII characters. Without it one is made and kept in capture.spool_dir, which does for a single edge.
	// Default: none.
	Secret Secret `koanf:"secret"`
	// PreviousSecret is still accepted and signs nothing, so that the secret can be changed. Default: none.
	PreviousSecret Secret `koanf:"previous_secret"`
	// Durable makes a landing page wait until its click is on disk, up to 250ms, so that a crash loses no click that
	// was answered. Default: false.
	Durable bool `koanf:"durable"`
	// ClientRate is how many clicks a second one client address may make for long. Beyond it pages are served as ever
	// and clicks wait for the shopper's next request. Range 0.1 to 100000. Default: 20.
	ClientRate float64 `koanf:"client_rate"`
	// ClientBurst is how many it may make at once beyond that. Range 1 to 1000000. Default: 200.
	ClientBurst int `koanf:"client_burst"`
	// SpoolDir is where clicks wait for Kafka. One process uses it at a time, and it must outlive the process.
	// Default: ./spool.
	SpoolDir string `koanf:"spool_dir"`
	// SpoolMax bounds what waits there; beyond it clicks are dropped and counted. Range 64MiB to 1024GiB.
	// Default: 1GiB.
	SpoolMax Size `koanf:"spool_max"`
	// AdminListen is the edge's own port for health, metrics and erasure, as host:port. Default: 127.0.0.1:9645.
	AdminListen string `koanf:"admin_listen"`
	// TLS makes the edge answer shoppers with HTTPS and HTTP/2.
	TLS CaptureTLS `koanf:"tls"`
}

// CaptureTLS is the edge's certificate.
type CaptureTLS struct {
	// Cert is the file with the certificate and those that lead to its authority, in PEM. Default: none.
	Cert string `koanf:"cert"`
	// Key is the file with its private key, in PEM. Default: none.
	Key string `koanf:"key"`
}

func defaultCapture() Capture {
	return Capture{
		Listen: "127.0.0.1:8088", TrustedProxies: []string{}, ClientRate: 20, ClientBurst: 200, SpoolDir: "./spool", SpoolMax: GiB,
		AdminListen: "127.0.0.1:9645",
	}
}

// Configured tells whether anything of the edge was set.
func (e Capture) Configured() bool { return !reflect.DeepEqual(e, defaultCapture()) }

// Proxies are the networks of TrustedProxies; a single address is a network of its own.
func (e Capture) Proxies() []netip.Prefix {
	networks := make([]netip.Prefix, 0, len(e.TrustedProxies))
	for _, text := range e.TrustedProxies {
		if network, ok := parseNetwork(text); ok {
			networks = append(networks, network)
		}
	}
	return networks
}

func parseNetwork(text string) (netip.Prefix, bool) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	network, err := netip.ParsePrefix(text)
	return network, err == nil
}

func (e Capture) check(c *checker) {
	c.listen("capture.listen", e.Listen)
	c.listen("capture.admin_listen", e.AdminListen)
	if e.Listen == e.AdminListen && e.Listen != "" {
		c.add("capture.admin_listen", shown(e.AdminListen), "is already capture.listen", "give health and metrics a port of their own")
	}
	if e.Upstream != "" {
		if problem := webAddressProblem(e.Upstream); problem != "" {
			c.add("capture.upstream", shownURL(e.Upstream), problem, "write it like http://127.0.0.1:3000")
		} else if shop, err := url.Parse(e.Upstream); err == nil && shop.Host == e.Listen {
			c.add("capture.upstream", shownURL(e.Upstream), "is capture.listen, where this edge itself answers", "name the shop's own address")
		}
	}
	e.checkCookieDomain(c)
	for _, name := range []struct{ key, value, kind, like string }{
		{"capture.session_cookie", e.SessionCookie, "cookie", "sid"},
		{"capture.session_header", e.SessionHeader, "header", "X-Customer-Id"},
		{"capture.consent_cookie", e.ConsentCookie, "cookie", "consent"},
		{"capture.consent_header", e.ConsentHeader, "header", "X-Consent"},
	} {
		if name.value != "" && !isToken(name.value) {
			c.add(name.key, shown(name.value), "must be the name of a "+name.kind, "write it like "+name.like)
		}
	}
	if capture.IsOurCookie(e.SessionCookie) {
		c.add("capture.session_cookie", shown(e.SessionCookie), "is a cookie that the edge sets itself", "name the cookie in which the shop keeps its session")
	}
	if capture.CarriesCookies(e.SessionHeader) {
		c.add("capture.session_header", shown(e.SessionHeader), "carries all cookies", "name the session's cookie in capture.session_cookie")
	}
	e.checkConsent(c)
	for _, text := range e.TrustedProxies {
		if _, ok := parseNetwork(text); !ok {
			c.add("capture.trusted_proxies", shown(text), "must be an address or a network", "write it like 10.0.0.7 or 10.0.0.0/8")
		}
	}
	c.secret("capture.secret", e.Secret)
	c.secret("capture.previous_secret", e.PreviousSecret)
	if e.PreviousSecret != "" && e.Secret == "" {
		c.missing("capture.secret", "capture.previous_secret needs a secret that follows it", "set the new one")
	}
	within(c, "capture.client_rate", e.ClientRate, 0.1, 100_000)
	within(c, "capture.client_burst", e.ClientBurst, 1, 1_000_000)
	if strings.TrimSpace(e.SpoolDir) == "" {
		c.missing("capture.spool_dir", "a directory is needed", "leave it out for ./spool")
	}
	within(c, "capture.spool_max", e.SpoolMax, 64*MiB, 1024*GiB)
	if e.TLS.Cert != "" && e.TLS.Key == "" {
		c.missing("capture.tls.key", "capture.tls.cert needs its private key", "name the file, or remove capture.tls.cert for plain HTTP")
	}
	if e.TLS.Key != "" && e.TLS.Cert == "" {
		c.missing("capture.tls.cert", "capture.tls.key needs its certificate", "name the file, or remove capture.tls.key for plain HTTP")
	}
}

// checkCookieDomain refuses what browsers would refuse.
func (e Capture) checkCookieDomain(c *checker) {
	if e.CookieDomain == "" {
		return
	}
	domain := strings.ToLower(strings.TrimPrefix(e.CookieDomain, "."))
	if domain == e.CookieDomain || !isKafkaName(domain) || !strings.Contains(domain, ".") {
		c.add("capture.cookie_domain", shown(e.CookieDomain), "must be a domain with a leading dot", "write it like .example.com")
		return
	}
	// publicsuffix.org lists them; browsers refuse cookies for them, since strangers have shops there, too.
	if suffix, _ := publicsuffix.PublicSuffix(domain); suffix == domain {
		c.add("capture.cookie_domain", shown(e.CookieDomain), "is a public suffix, where strangers have shops, too", "write the shop's own domain, like .example.com")
	}
}

func (e Capture) checkConsent(c *checker) {
	asked := e.ConsentCookie != "" || e.ConsentHeader != ""
	switch _, err := regexp.Compile(e.ConsentPattern); {
	case err != nil:
		c.add("capture.consent_pattern", shown(e.ConsentPattern), "must be a regular expression as Go reads it", "write it like ^accepted$")
	case asked && e.ConsentPattern == "":
		c.missing("capture.consent_pattern", "what a shopper's consent looks like is needed", "write it like ^accepted$")
	case !asked && e.ConsentPattern != "":
		c.add("capture.consent_pattern", shown(e.ConsentPattern), "needs a cookie or a header to look at", "set capture.consent_cookie or capture.consent_header")
	}
}

// checkEdge is what `cjrelay capture` cannot do without.
func (cfg Config) checkEdge(c *checker) {
	if cfg.Capture.Upstream == "" && len(cfg.Capture.TrustedProxies) == 0 {
		c.missing("capture.upstream", "the edge needs a shop to stand in front of, or proxies that may ask it",
			"set it, or list those proxies in capture.trusted_proxies")
	}
}

// secret checks what is compared and sent as it stands.
func (c *checker) secret(key string, secret Secret) {
	if secret == "" {
		return
	}
	if position, bad := firstInvisible(string(secret)); bad {
		c.add(key, secret.String(), "has a blank, control or non-ASCII character at position "+shown(position),
			"copy it again, without blanks and line ends")
	} else if len(secret) < minToken {
		c.add(key, secret.String(), "must be at least "+shown(minToken)+" characters", "use a random one, such as openssl rand -hex 16 prints")
	}
}

// isToken accepts the names of cookies and headers (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}
