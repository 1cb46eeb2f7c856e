package capture

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var trustTen = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"), netip.MustParsePrefix("fe80::/10")}

func TestForwardedHeadersCountOnlyFromTrustedProxies(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		peer    string
		headers map[string]string
		tls     bool
		client  string
		host    string
		secure  bool
	}{
		"Direct":            {"203.0.113.7:1", nil, true, "203.0.113.7", "www.example.com", true},
		"DirectPlain":       {"203.0.113.7:1", nil, false, "203.0.113.7", "www.example.com", false},
		"Forged":            {"203.0.113.7:1", map[string]string{"X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.com", "X-Forwarded-Proto": "https"}, false, "203.0.113.7", "www.example.com", false},
		"ForgedPlain":       {"203.0.113.7:1", map[string]string{"X-Forwarded-Proto": "http"}, true, "203.0.113.7", "www.example.com", true},
		"Proxy":             {"10.1.2.3:1", map[string]string{"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Host": "Shop.Example.com:8443", "X-Forwarded-Proto": "HTTPS"}, false, "203.0.113.7", "shop.example.com", true},
		"ProxyOfProxies":    {"10.1.2.3:1", map[string]string{"X-Forwarded-Host": "shop.example.com, inner", "X-Forwarded-Proto": "https, http"}, false, "10.1.2.3", "shop.example.com", true},
		"ProxyPlain":        {"10.1.2.3:1", map[string]string{"X-Forwarded-Proto": "http"}, true, "10.1.2.3", "www.example.com", false},
		"Chain":             {"10.1.2.3:1", map[string]string{"X-Forwarded-For": "9.9.9.9, 203.0.113.7, 10.9.9.9"}, false, "203.0.113.7", "www.example.com", false},
		"ChainOfProxies":    {"10.1.2.3:1", map[string]string{"X-Forwarded-For": "10.0.0.1,10.0.0.2"}, false, "10.0.0.1", "www.example.com", false},
		"ChainWithNonsense": {"10.1.2.3:1", map[string]string{"X-Forwarded-For": "203.0.113.7, unknown"}, false, "10.1.2.3", "www.example.com", false},
		"ZoneOfTheProxy":    {"[fe80::1%eth0]:1", map[string]string{"X-Forwarded-For": "fe80::2%eth1, 203.0.113.7"}, false, "203.0.113.7", "www.example.com", false},
		"ZoneOfTheClient":   {"10.1.2.3:1", map[string]string{"X-Forwarded-For": "2001:db8::7%1"}, false, "2001:db8::7", "www.example.com", false},
		"MappedAddress":     {"[::ffff:10.1.2.3]:1", map[string]string{"X-Forwarded-For": "::ffff:203.0.113.7"}, false, "203.0.113.7", "www.example.com", false},
		"Six":               {"[fd00::1]:1", map[string]string{"X-Forwarded-For": "2001:db8::7"}, false, "2001:db8::7", "www.example.com", false},
		"Socket":            {"@", map[string]string{"X-Forwarded-Host": "evil.com"}, false, "invalid IP", "www.example.com", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("GET", "http://www.example.com/", nil)
			r.RemoteAddr = test.peer
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			o := origin{trustTen}
			require.Equal(t, test.client, o.client(r).String())
			require.Equal(t, test.host, o.host(r))
			require.Equal(t, test.secure, o.secure(r))
		})
	}
}

// A client's own line stands before the proxy's.
func TestLinesOfAHeaderAreOneList(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("GET", "http://www.example.com/", nil)
	r.RemoteAddr = "10.1.2.3:1"
	r.Header["X-Forwarded-For"] = []string{"1.2.3.4", "203.0.113.7, 10.9.9.9"}
	require.Equal(t, "203.0.113.7", origin{trustTen}.client(r).String())
}

func TestSessionHeaderOfAClientIsNotBelieved(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.SessionHeader, c.TrustedProxies = "X-Customer", trustTen })
	b.browser.header.Set("X-Customer", "somebody-else")
	b.browser.get("/?cjevent=" + clickA)
	require.NotContains(t, b.queuedSessions(), "somebody-else")
	b.browser.from = "10.1.1.1:1"
	b.browser.get("/")
	require.Equal(t, []string{"somebody-else"}, b.queuedSessions(), "a proxy's is")
}

func TestHostOutsideOfTheDomainGetsCookiesOfItsOwn(t *testing.T) {
	t.Parallel()
	for host, domain := range map[string]string{
		"example.com": "example.com", "WWW.Example.COM.": "example.com", "a.b.example.com:8443": "example.com",
		"badexample.com": "", "example.com.evil.net": "", "192.0.2.1": "", "[::1]:80": "",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := httptest.NewRequest("GET", "http://www.example.com/?cjevent="+clickA, nil)
			r.Host = host
			w := httptest.NewRecorder()
			b.Middleware(b.handler).ServeHTTP(w, r)
			require.Equal(t, domain, setCookie(w.Result(), "cje").Domain)
			want := 0.0
			if domain == "" {
				want = 1
			}
			require.Equal(t, want, b.metric("foreign_host_total"))
			require.Equal(t, 1.0, b.metric("insecure_total"))
		})
	}
}

// A flood costs its client the clicks, never the page, and nobody else anything.
func TestFloodOfOneClientIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, func(c *Config) { c.ClientBurst, c.ClientRate = 5, 2 })
		flood := func(from string, count int) (written int) {
			for range count {
				b.browser = newBrowser(b)
				b.browser.from = from
				response := b.browser.get("/?cjevent=" + clickA)
				require.Equal(t, 200, response.StatusCode)
				require.NotNil(t, setCookie(response, "cje"))
			}
			return len(b.queued())
		}
		require.Equal(t, 5, flood("203.0.113.7:1", 50))
		require.Equal(t, 45.0, b.metric("refused_total{too_many}"))
		require.Equal(t, 1, strings.Count(b.log.String(), "client_rate"), "said once")
		require.Equal(t, 5, flood("203.0.113.8:1", 9))
		held := b.browser // of a page that was refused
		require.Equal(t, 5, flood("[2001:db8::1]:1", 6))
		require.Zero(t, flood("[2001:db8::ffff:2]:1", 6), "one network is one client")
		time.Sleep(time.Second)
		require.Equal(t, 2, flood("203.0.113.7:1", 50))
		held.get("/")
		require.Len(t, b.queued(), 1, "a later page makes up for it")
	})
}

// A page that binds several sessions is one click of its client.
func TestFloodCountsPagesAndNotSessions(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.ClientBurst, c.ClientRate, c.SessionHeader = 1, 1e-9, "X-Customer" })
	b.browser.has("sid", "s-1")
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Customer", "c-7")
		w.Header().Set("Set-Cookie", "sid=s-2")
	}
	b.browser.get("/?cjevent=" + clickA)
	require.ElementsMatch(t, []string{"s-1", "s-2", "c-7"}, b.queuedSessions())
}

// Behind a proxy that is trusted each shopper has an address, a host and a scheme of their own.
func TestShoppersBehindATrustedProxyAreToldApart(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.ClientBurst, c.ClientRate, c.TrustedProxies = 1, 1e-9, trustTen })
	for i, client := range []string{"203.0.113.7", "203.0.113.8"} {
		r := httptest.NewRequest("GET", "http://edge.internal/?cjevent="+clickA, nil)
		r.RemoteAddr = "10.1.1.1:1"
		r.Header = http.Header{"X-Forwarded-For": {client}, "X-Forwarded-Host": {"www.example.com"}, "X-Forwarded-Proto": {"https"}}
		header := http.Header{}
		require.Equal(t, Caught{Clicked: true, Bound: 1}, b.Catch(r, header), i)
		require.Contains(t, header["Set-Cookie"][0], "Domain=example.com")
		require.ErrorIs(t, b.Catch(r, http.Header{}).Err, errFlood)
	}
	require.Zero(t, b.metric("insecure_total"))
	require.Zero(t, b.metric("foreign_host_total"))
}

func TestLimiterIsBounded(t *testing.T) {
	t.Parallel()
	l := newLimiter(0.001, 1)
	at := now()
	for i := range maxClients + 100 {
		require.True(t, l.allow(netip.MustParseAddr(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)), at))
	}
	require.Len(t, l.known, maxClients)
	require.Equal(t, maxClients, l.latest.Len())
	require.False(t, l.allow(netip.MustParseAddr("10.0.39.99"), at), "the latest are known")
	flooding := netip.MustParseAddr("203.0.113.7")
	require.True(t, l.allow(flooding, at))
	for i := range maxClients + 100 {
		require.True(t, l.allow(netip.MustParseAddr(fmt.Sprintf("10.9.%d.%d", i>>8, i&255)), at))
		if i%1000 == 0 {
			require.False(t, l.allow(flooding, at), "who goes on is not forgotten for others")
		}
	}
	require.True(t, newLimiter(-1, 1).allow(netip.Addr{}, at))
}

func TestOnlyAddressesOfTheListAreTrusted(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}
	for peer, want := range map[string]bool{
		"10.1.2.3:1": true, "[::ffff:10.1.2.3]:1": true, "[fe80::1%eth0]:1": true, "11.0.0.1:1": false, "[2001:db8::1]:1": false, "@": false, "": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = peer
		require.Equal(t, want, FromProxy(r, trusted), peer)
		require.False(t, FromProxy(r, nil), peer)
	}
}
