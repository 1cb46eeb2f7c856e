package capture

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who is forgotten is logged out in the same response: the click must not come behind the erasure, under the next session.
func TestNothingIsWrittenBesideAnExpiryOfCJsCookie(t *testing.T) {
	t.Parallel()
	expiry := "cje=; Max-Age=0; Domain=.example.com; Path=/; Secure"
	for name, lines := range map[string][]string{
		"AsTheDocumentationSays": {expiry, "cjrelay_click=; Max-Age=0; Domain=.example.com; Path=/; Secure", "cjrelay_session=; Max-Age=0; Domain=.example.com; Path=/; Secure"},
		"CJsAlone":               {expiry},
		"WithADate":              {"cje=deleted; Expires=Thu, 01 Jan 1970 00:00:01 GMT; Path=/"},
		"AfterOneThatLives":      {"cje=" + clickB + "; Path=/; Secure", expiry},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.browser.has("sid", "s-1")
			b.browser.get("/?cjevent=" + clickA)
			require.Equal(t, []string{"s-1"}, b.queuedSessions())
			b.browser.has("sid", "s-2")
			b.handler = func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Set-Cookie"] = append([]string{"sid=s-3; Path=/"}, lines...)
			}
			response := b.browser.get("/account/delete")
			require.Empty(t, b.queued())
			require.Len(t, response.Header["Set-Cookie"], 1+len(lines), "the companion is not set again")
			require.Zero(t, b.metric("rebound_total"))

			// Nor is a click that lands just then: the shop has the last word on its shopper.
			response = b.browser.get("/account/delete?cjevent=" + clickB)
			require.Empty(t, b.queued())
			require.Len(t, response.Header["Set-Cookie"], 1+len(lines))
			require.Equal(t, 1.0, b.metric("refused_total{expired_by_shop}"))
		})
	}
}

func TestShopThatSetsCJsCookieItselfExpiresNothing(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"Sets":            {"cje=" + clickB + "; Path=/; Secure"},
		"SetsAfterExpiry": {"cje=; Max-Age=0; Path=/", "cje=" + clickB + "; Domain=example.com; Path=/; Secure"},
		"OurOwnSession":   {"cjrelay_session=; Max-Age=0; Path=/"},
		"AnotherName":     {"xcje=; Max-Age=0", "cje2=; Max-Age=0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.browser.has("sid", "s-1")
			b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header()["Set-Cookie"] = lines }
			b.browser.get("/?cjevent=" + clickA)
			require.Equal(t, []string{"s-1"}, b.queuedSessions())
		})
	}
}

func TestShopperIsForgottenInAResponseThatNamesTheNextSession(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.start()
	b.browser.has("sid", "s-1")
	b.browser.get("/?cjevent=" + clickA)
	b.handler = func(w http.ResponseWriter, r *http.Request) {
		require.NoError(t, b.ForgetShopper(r.Context(), r, w.Header()))
		http.SetCookie(w, &http.Cookie{Name: "sid", Value: "s-2", Path: "/"})
	}
	b.browser.get("/forget")
	b.handler = func(http.ResponseWriter, *http.Request) {}
	b.browser.get("/")
	require.Equal(t, 2, b.spool.state().records, "a click and its erasure")
	require.Empty(t, b.browser.cookie(cookieCompanion))
}
