package capture

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatIsIllegalIsRefusedWithAReason(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("s", maxSession+1)
	tests := map[string]struct {
		path    string
		cookies map[string]string
		reason  string
		written int
	}{
		"ClickTooLong":      {"/?cjevent=" + strings.Repeat("a", 65), nil, "illegal_click_id", 0},
		"ClickWithNewline":  {"/?cjevent=a%0aSet-Cookie:b", nil, "illegal_click_id", 0},
		"TooManyParameters": {"/?" + strings.Repeat("a&", 5000) + "cjevent=" + clickA, nil, "query_too_long", 0},
		"SessionTooLong":    {"/?cjevent=" + clickA, map[string]string{"sid": long}, "illegal_session", 1},
		"OwnSessionForged":  {"/?cjevent=" + clickA, map[string]string{cookieSession: "not-of-ours"}, "illegal_session", 1},
		"OwnSessionShort":   {"/?cjevent=" + clickA, map[string]string{cookieSession: strings.Repeat("a", ownSession-1)}, "illegal_session", 1},
		"CookieForged":      {"/", map[string]string{"cje": "not a click", "sid": "s-1"}, "illegal_cookie", 0},
		"CompanionForged":   {"/?cjevent=" + clickA, map[string]string{cookieCompanion: "1.a.b.c.d"}, "forged_companion", 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			for name, value := range test.cookies {
				b.browser.has(name, value)
			}
			response := b.browser.get(test.path)
			require.Equal(t, http.StatusOK, response.StatusCode)
			records := b.queued()
			require.Len(t, records, test.written)
			for _, r := range records {
				require.True(t, isOwnSession(r.session), "what is no session is not written under")
			}
			require.Equal(t, 1.0, b.metric("refused_total{"+test.reason+"}"))
			if test.written == 0 {
				require.Empty(t, response.Header["Set-Cookie"])
			}
			require.Empty(t, b.log.String())
		})
	}
}

func TestThousandsOfCookiesDoNoHarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := httptest.NewRequest(http.MethodGet, shop+"/?cjevent="+clickA, nil)
	r.Header.Set("Cookie", strings.Repeat(cookieCompanion+"=1.x; cje=a; sid=b; ", 20_000))
	w := httptest.NewRecorder()
	b.Middleware(b.handler).ServeHTTP(w, r)
	require.NotNil(t, setCookie(w.Result(), "cje"))
	require.LessOrEqual(t, len(b.queued()), 1)
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.ClientRate = -1 })
	b.browser.has("sid", strings.Repeat("s", maxSession))
	frame := len(record{put, strings.Repeat("s", maxSession), clickA, now()}.frame())
	for b.queue.bytes+frame <= queueBytes {
		require.NoError(t, b.queue.add(newEntry(record{put, strings.Repeat("s", maxSession), clickA, now()})))
	}
	response := b.browser.get("/?cjevent=" + clickA)
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NotNil(t, setCookie(response, "cje"))
	require.Equal(t, 1.0, b.metric("lost_total{queue_full}"))
	require.ErrorIs(t, b.Troubles()[2].Err, errQueue)
	b.queued()
	b.browser.get("/")
	require.Len(t, b.queued(), 1, "the next page makes up for it")
}

func TestFullSpoolIsCountedAndLogged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.has("sid", "s-1")
	require.True(t, b.spool.reserve(SpoolBytesDefault))
	response := b.browser.get("/?cjevent=" + clickA)
	require.NotNil(t, setCookie(response, "cje"))
	require.Equal(t, 1.0, b.metric("lost_total{spool_full}"))
	require.Contains(t, b.log.String(), "the spool is full")
	require.NotContains(t, b.log.String(), clickA)
	require.ErrorIs(t, b.Troubles()[3].Err, errRoom)
	require.ErrorIs(t, b.Forget(t.Context(), "s-1"), errRoom)
	require.Zero(t, b.metric("erased_total"), "it was not taken")
	b.spool.taken.Store(0)
	b.browser.get("/")
	require.Len(t, b.queued(), 1)
}

func TestConsent(t *testing.T) {
	t.Parallel()
	accepted := Consent{Cookie: "consent", Header: "X-Consent", Pattern: regexp.MustCompile(`^(yes|\{"ads":true\})$`)}
	asked := func(c *Config) { c.Consent = accepted }
	t.Run("WithoutItNothingHappens", func(t *testing.T) {
		t.Parallel()
		for _, value := range []string{"", "no", "yes!", "%zz"} {
			b := setup(t, asked)
			if value != "" {
				b.browser.has("consent", value)
			}
			b.browser.has("sid", "s-1")
			require.Empty(t, b.browser.get("/?cjevent=" + clickA).Header["Set-Cookie"])
			require.Empty(t, b.queued())
			require.Equal(t, 1.0, b.metric("refused_total{no_consent}"))
			require.Equal(t, 1.0, b.metric("landings_total"))
			b.browser.has("cje", clickA)
			require.Empty(t, b.browser.get("/").Header["Set-Cookie"], "nor for a click of before")
			require.Empty(t, b.queued())
			require.Equal(t, 1.0, b.metric("refused_total{no_consent}"), "there was no click to refuse")
			b.browser.header.Set("X-Consent", "no")
			require.Empty(t, b.browser.get("/?cjevent=" + clickA).Header["Set-Cookie"], "a header says no, too")
		}
	})
	t.Run("Given", func(t *testing.T) {
		t.Parallel()
		for _, given := range []func(*browser){
			func(s *browser) { s.has("consent", "yes") },
			func(s *browser) { s.has("consent", "%7B%22ads%22%3Atrue%7D") },
			func(s *browser) { s.header.Set("X-Consent", "yes") },
			func(s *browser) { s.header["X-Consent"] = []string{"no", "yes"} },
		} {
			b := setup(t, asked)
			given(b.browser)
			require.NotNil(t, setCookie(b.browser.get("/?cjevent="+clickA), "cje"))
			require.Len(t, b.queued(), 1)
		}
	})
	t.Run("GivenOnTheLandingPage", func(t *testing.T) {
		t.Parallel()
		b := setup(t, asked)
		b.browser.get("/?cjevent=" + clickA)
		b.browser.has("consent", "yes")
		for name, referer := range map[string]string{"None": "", "Elsewhere": "https://other.example.com/?cjevent=" + clickA, "NoClick": shop + "/", "Garbage": "%%%"} {
			b.browser.header.Set("Referer", referer)
			require.Empty(t, b.browser.get("/").Header["Set-Cookie"], name)
		}
		b.browser.header.Set("Referer", shop+"/?cjevent="+clickA)
		require.NotNil(t, setCookie(b.browser.get("/agreed"), "cje"))
		require.Len(t, b.queued(), 1)
		// An old tab does not take the place of a newer click.
		b.browser.header.Set("Referer", shop+"/?cjevent="+clickB)
		require.Empty(t, b.browser.get("/").Header["Set-Cookie"])
		require.Equal(t, clickA, b.browser.cookie("cje"))
	})
}
