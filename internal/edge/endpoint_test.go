package edge

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

func trusting(networks ...string) func(*config.Config) {
	return func(c *config.Config) { c.Capture.TrustedProxies, c.Capture.CookieDomain = networks, ".example.com" }
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	s := open(t, nil, trusting("127.0.0.1"))
	shown := []string{"Host: www.example.com", "X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.9"}

	t.Run("GivesEveryCookieAHeaderOfItsOwn", func(t *testing.T) {
		t.Parallel()
		response, body := s.ask(t, http.MethodGet, "/click", append(shown, "X-Original-URI: /landing?x=1&CJEVENT="+click)...)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Empty(t, body)
		lines := response.Header["Set-Cookie"]
		require.Len(t, lines, 3, "CJ's cookie, its companion, and a session of our own")
		for i, line := range lines {
			require.Equal(t, line, response.Header.Get(cookieHeader+string(rune('1'+i))))
		}
		cookie := cookieOf(t, response, "cje")
		require.Equal(t, click, cookie.Value)
		require.Equal(t, "example.com", cookie.Domain)
		require.Equal(t, 34_128_000, cookie.MaxAge)
		require.True(t, strings.Contains(response.Header.Get("Cache-Control"), "private"))
	})

	t.Run("BelievesTheShoppersAddressAndNotItsOwn", func(t *testing.T) {
		t.Parallel()
		response, _ := s.ask(t, http.MethodGet, "/click?cjevent="+click2, append(shown, "X-Original-URI: /?cjevent="+click)...)
		require.Equal(t, click, cookieOf(t, response, "cje").Value)
		response, _ = s.ask(t, http.MethodGet, "/click?cjevent="+click2, append(shown, "X-Original-URI: /")...)
		require.Empty(t, response.Header["Set-Cookie"])
	})

	t.Run("SaysNothingWhereThereIsNothing", func(t *testing.T) {
		t.Parallel()
		for _, uri := range []string{"/", "/?x=1", "*", "", "/?cjevent=", "/?cjevent=" + strings.Repeat("a", 65), "http://[::1"} {
			response, _ := s.ask(t, http.MethodGet, "/click", append(shown, "X-Original-URI: "+uri)...)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Empty(t, response.Header["Set-Cookie"], uri)
			require.Empty(t, response.Header["Cache-Control"], uri)
		}
	})

	t.Run("TakesTheShoppersOwnAddressAsEnvoySendsIt", func(t *testing.T) {
		t.Parallel()
		for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost} {
			response, _ := s.ask(t, method, "/shop/landing?cjevent="+click, shown...)
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.Equal(t, click, cookieOf(t, response, "cje").Value)
		}
	})
}

// nginx takes any answer but 2xx for a refusal: a list that lacks an address must not close the shop.
func TestEndpointCatchesNothingForStrangers(t *testing.T) {
	t.Parallel()
	s := open(t, nil, trusting("10.0.0.0/8"))
	for range 2 {
		response, _ := s.ask(t, http.MethodGet, "/click", "X-Original-URI: /?cjevent="+click)
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Empty(t, response.Header["Set-Cookie"])
	}
	require.Equal(t, "2", s.metric(t, "cjrelay_capture_untrusted_total"))
	require.Equal(t, "0", s.metric(t, "cjrelay_capture_caught_total"))
	require.Equal(t, 1, strings.Count(s.log.String(), "asked by an address that is not trusted"))
}

// A shopper who lands with a session, gets another one at login, and comes back: the click is bound to both.
func TestEndpointBindsTheClickToLaterSessions(t *testing.T) {
	t.Parallel()
	s := open(t, nil, trusting("127.0.0.1"))
	ask := func(uri string, cookies ...*http.Cookie) *http.Response {
		shown := make([]string, 0, len(cookies))
		for _, cookie := range cookies {
			shown = append(shown, cookie.Name+"="+cookie.Value)
		}
		response, _ := s.ask(t, http.MethodGet, "/click", "Host: www.example.com", "X-Forwarded-Proto: https", "X-Original-URI: "+uri,
			"Cookie: "+strings.Join(shown, "; "))
		return response
	}
	landed := ask("/?cjevent="+click, &http.Cookie{Name: "sid", Value: "visit"})
	kept := []*http.Cookie{cookieOf(t, landed, "cje"), cookieOf(t, landed, "cjrelay_click")}
	ask("/account", append(kept, &http.Cookie{Name: "sid", Value: "customer"})...)
	clicks := s.clicks(t, 2)
	require.Equal(t, clicks["visit"], clicks["customer"], "the same click with the same time")
}
