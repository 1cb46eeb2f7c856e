package capture

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the capture rate is made of counts each thing once, and nothing else.
func TestMetricsOfTheCaptureRate(t *testing.T) {
	t.Parallel()
	type counts struct{ landings, cookies, caught, rebound, adopted float64 }
	of := func(b *bundle) counts {
		return counts{b.metric("landings_total"), b.metric("cookies_total"), b.metric("caught_total"), b.metric("rebound_total"), b.metric("adopted_total")}
	}
	t.Run("OneShopper", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *Config) { c.SessionHeader = "X-Customer" })
		b.browser.has("sid", "s-1")
		b.browser.get("/")
		require.Equal(t, counts{}, of(b))
		b.browser.get("/?cjevent=" + clickA)
		require.Equal(t, counts{landings: 1, cookies: 1, caught: 1}, of(b))
		b.browser.get("/?cjevent=" + clickA)
		require.Equal(t, counts{landings: 2, cookies: 2, caught: 1}, of(b), "loaded again")
		b.browser.has("sid", "s-2")
		b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Customer", "c-7") }
		b.browser.get("/login")
		require.Equal(t, counts{landings: 2, cookies: 2, caught: 1, rebound: 2}, of(b), "under two further sessions")
		b.browser.get("/")
		require.Equal(t, counts{landings: 2, cookies: 2, caught: 1, rebound: 2}, of(b))
		require.Equal(t, 3.0, b.metric("waiting"), "the clicks that wait for the disk, too")
	})
	t.Run("OfWhatIsIllegal", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.browser.get("/?cjevent=" + strings.Repeat("a", 65))
		require.Equal(t, counts{landings: 1}, of(b))
	})
	t.Run("OfAnotherTool", func(t *testing.T) {
		t.Parallel()
		b := setup(t)
		b.browser.has("cje", clickA)
		b.browser.has("sid", "s-1")
		b.browser.get("/")
		b.browser.get("/")
		require.Equal(t, counts{adopted: 1}, of(b))
	})
	t.Run("OfAFlood", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *Config) { c.ClientBurst, c.ClientRate = 1, 1e-9 })
		b.browser.get("/?cjevent=" + clickA)
		b.browser = newBrowser(b)
		b.browser.get("/?cjevent=" + clickA)
		require.Equal(t, counts{landings: 2, cookies: 2, caught: 1}, of(b), "what was not written was not caught")
	})
	t.Run("OfAHostWithoutADomain", func(t *testing.T) {
		t.Parallel()
		b := setup(t, func(c *Config) { c.CookieDomain = "" })
		b.browser.get("/?cjevent=" + clickA)
		require.Zero(t, b.metric("foreign_host_total"), "no domain was asked for")
		require.Zero(t, b.metric("insecure_total"))
	})
}
