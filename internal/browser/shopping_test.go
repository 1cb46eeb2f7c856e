//go:build browser

package browser_test

import (
	"math"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

// Two clicks as CJ makes them.
const (
	click1 = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"
	click2 = "00f2a9d4c1e836b0f92d4a1c5e7b8a40"
)

// The edge itself ends TLS and stands in front of the shop.
func TestShoppingThroughTheProxy(t *testing.T) {
	t.Parallel()
	w := open(t)
	e, _ := w.edge(t, func(c *config.Capture) {
		c.Upstream = w.upstream.URL
		c.TLS = certificate(t)
	})
	w.goShopping(t, e.Addr())
}

// goShopping sends a browser from a partner's link to a purchase.
func (w *world) goShopping(t *testing.T, front string) {
	links := httptest.NewTLSServer(partner(shopURL+"?utm=1&CJEVENT="+click1, shopURL+"?cjevent="+click2+"&x=%zz"))
	t.Cleanup(links.Close)
	browser := newTab(t, front, hostPort(t, links.URL))

	began := time.Now()
	browser.visit(t, partnerURL)
	browser.click(t, "link1")
	require.Equal(t, shopURL, browser.address(t), "the shop's redirect has dropped the query")
	require.Equal(t, "h2", browser.protocol(t))
	landed := browser.cookies(t)
	requireAsCJAsks(t, landed["cje"], click1, began)
	require.Equal(t, click1, browser.tagReads(t))
	require.NotContains(t, browser.scriptsSee(t), "cjrelay_", "what is ours is for no script")
	for _, name := range []string{"cjrelay_click", "sid"} {
		require.Contains(t, landed, name)
		require.True(t, landed[name].HTTPOnly, name)
	}

	// Coming back without the parameter leaves CJ's cookie as it was.
	browser.visit(t, shopURL)
	require.Equal(t, landed["cje"], browser.cookies(t)["cje"])
	// All hosts of the shop share it.
	browser.visit(t, checkoutURL)
	require.Equal(t, click1, browser.tagReads(t))

	// The later click counts.
	browser.visit(t, partnerURL)
	browser.click(t, "link2")
	require.Equal(t, click2, browser.tagReads(t))
	requireAsCJAsks(t, browser.cookies(t)["cje"], click2, began)

	visit := browser.cookies(t)["sid"].Value
	browser.click(t, "login")
	customer := browser.cookies(t)["sid"].Value
	require.NotEqual(t, visit, customer, "the session rotates at login")
	w.written(t, customer, click2)
	browser.click(t, "buy")
	require.Equal(t, shopURL+"thanks", browser.address(t))
	require.NoError(t, w.shop.failed)
	require.Equal(t, map[string]string{"ORD-1": click2}, w.paid(t, 1))
}

// requireAsCJAsks compares a cookie, as the browser reports it, with docs.cj.com/docs/http-cookie.
func requireAsCJAsks(t *testing.T, cookie *network.Cookie, click string, began time.Time) {
	t.Helper()
	require.NotNil(t, cookie)
	require.Equal(t, click, cookie.Value)
	require.Equal(t, ".shop.test", cookie.Domain)
	require.Equal(t, "/", cookie.Path)
	require.True(t, cookie.Secure)
	require.False(t, cookie.HTTPOnly)
	require.Equal(t, network.CookieSameSiteLax, cookie.SameSite)
	const thirteenMonths = 34_128_000
	earliest, latest := float64(began.Unix()+thirteenMonths), float64(time.Now().Unix()+1+thirteenMonths)
	require.GreaterOrEqual(t, math.Ceil(cookie.Expires), earliest)
	require.LessOrEqual(t, math.Floor(cookie.Expires), latest)
}
