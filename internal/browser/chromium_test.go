//go:build browser

package browser_test

import (
	"context"
	"net"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// The names under which the browser knows the sites. It asks no name server.
const (
	shopURL     = "https://www.shop.test/"
	checkoutURL = "https://checkout.shop.test/"
	partnerURL  = "https://partner.test/"
)

// tab is a browser with one page open, and nothing in it that another test left.
type tab struct{ ctx context.Context }

// newTab starts a browser for which every host of the shop is at one address, and the partner at another.
func newTab(t *testing.T, shop, partner string) tab {
	t.Helper()
	return startTab(t, "MAP *.shop.test "+shop+", MAP partner.test "+partner+", MAP * ~NOTFOUND")
}

// startTab starts a browser that finds hosts by the rules.
func startTab(t *testing.T, hosts string) tab {
	t.Helper()
	profile, err := os.MkdirTemp("", "chromium")
	require.NoError(t, err)
	t.Cleanup(func() {
		// Chromium's children write for a moment after it has ended.
		require.Eventually(t, func() bool { return os.RemoveAll(profile) == nil }, longest, 50*time.Millisecond)
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		// In containers, where tests run as root, Chromium's own sandbox does not start.
		chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.IgnoreCertErrors, chromedp.UserDataDir(profile),
		chromedp.Env("TMPDIR="+profile),
		chromedp.Flag("host-resolver-rules", hosts))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(stop)
	require.NoError(t, chromedp.Do(ctx), "start Chromium: Debian's package is chromium")
	return tab{ctx}
}

// visit goes to an address, as one that is typed in.
func (b tab) visit(t *testing.T, address string) {
	t.Helper()
	b.do(t, chromedp.Navigate(address))
}

// click clicks on what has that id and waits for the page that it leads to.
func (b tab) click(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, longest)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.ID(id)))
	require.NoError(t, err)
	require.EqualValues(t, 200, response.Status)
}

func (b tab) do(t *testing.T, action chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, longest)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, action))
}

// address is where the browser is.
func (b tab) address(t *testing.T) string {
	t.Helper()
	location, err := chromedp.Run(b.ctx, chromedp.Location())
	require.NoError(t, err)
	return location
}

// protocol is how the page came: h2 or http/1.1.
func (b tab) protocol(t *testing.T) string {
	t.Helper()
	protocol, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`performance.getEntriesByType("navigation")[0].nextHopProtocol`))
	require.NoError(t, err)
	return protocol
}

// cookies are what the browser keeps for the shop, by name.
func (b tab) cookies(t *testing.T) map[string]*network.Cookie {
	t.Helper()
	result, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{shopURL}})
	require.NoError(t, err)
	cookies := map[string]*network.Cookie{}
	for _, cookie := range result.Cookies {
		cookies[cookie.Name] = cookie
	}
	return cookies
}

// tagReads is the click id as CJ's Universal Tag finds it: the first of these cookies in document.cookie that is not
// empty.
func (b tab) tagReads(t *testing.T) string {
	t.Helper()
	read, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`
		(() => {
			const cookies = Object.fromEntries(document.cookie.split("; ").map(pair => {
				const at = pair.indexOf("=");
				return [pair.slice(0, at), pair.slice(at + 1)];
			}));
			for (const name of ["cjeventOrder", "cjevent_sc", "cje", "cjevent_dc"]) {
				if (cookies[name]) return cookies[name];
			}
			return "";
		})()`))
	require.NoError(t, err)
	return read
}

// scriptsSee is what scripts can read.
func (b tab) scriptsSee(t *testing.T) string {
	t.Helper()
	seen, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.cookie`))
	require.NoError(t, err)
	return seen
}

// hostPort takes host and port out of a server's address.
func hostPort(t *testing.T, address string) string {
	t.Helper()
	if !strings.Contains(address, "://") {
		return address
	}
	parsed, err := url.Parse(address)
	require.NoError(t, err)
	_, _, err = net.SplitHostPort(parsed.Host)
	require.NoError(t, err)
	return parsed.Host
}
