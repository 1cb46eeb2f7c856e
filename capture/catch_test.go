package capture

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

func TestLandingSetsTheCookieAsCJAsks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	response := b.browser.get("/shoes?x=1&CJEvent=" + clickA)
	lines := response.Header["Set-Cookie"]
	require.Contains(t, lines, "cje="+clickA+"; Path=/; Domain=example.com; Max-Age=34128000; Secure; SameSite=Lax")
	for _, name := range []string{cookieCompanion, cookieSession} {
		cookie := setCookie(response, name)
		require.NotNil(t, cookie, name)
		require.True(t, cookie.HttpOnly && cookie.Secure && cookie.Path == "/" && cookie.SameSite == http.SameSiteLaxMode, cookie)
		require.Equal(t, "example.com", cookie.Domain)
		require.Equal(t, 34_128_000, cookie.MaxAge)
		require.NotContains(t, cookie.Value, secret)
	}
	require.Equal(t, 1.0, b.metric("landings_total"))
	require.Equal(t, 1.0, b.metric("cookies_total"))
	require.Equal(t, 1.0, b.metric("caught_total"))
}

func TestRequestsWithoutAClickAreNotTouched(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"NoQuery": "/", "OtherQuery": "/?event=1&cjevents=2", "Empty": "/?cjevent="} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.handler = func(w http.ResponseWriter, _ *http.Request) {
				require.IsNotType(t, &response{}, w)
				w.Header().Set("Cache-Control", "public")
			}
			b.browser.has("sid", "s-1")
			response := b.browser.get(path)
			require.Empty(t, response.Header["Set-Cookie"])
			require.Equal(t, "public", response.Header.Get("Cache-Control"))
			require.Empty(t, b.queued())
		})
	}
}

func TestClickIsWrittenUnderEverySessionThatIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.SessionHeader = "X-Customer" })
	b.browser.has("sid", "s-request")
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Add("Set-Cookie", "sid=s-first; Path=/")
		w.Header().Add("Set-Cookie", "other=1")
		w.Header().Add("Set-Cookie", "sid=s-response; Path=/")
		w.Header().Set("X-Customer", "c-7")
		http.Redirect(w, httptestRequest(), "/shoes", http.StatusFound)
	}
	response := b.browser.get("/go?cjevent=" + clickA)
	require.Equal(t, http.StatusFound, response.StatusCode)
	require.Equal(t, clickA, b.browser.cookie("cje"), "the cookie survives the shop's redirect")
	require.Nil(t, setCookie(response, cookieSession), "no session of ours where the shop has one")
	require.ElementsMatch(t, []string{"s-request", "s-response", "c-7"}, b.queuedSessions())

	b.handler = func(http.ResponseWriter, *http.Request) {}
	response = b.browser.get("/shoes")
	require.Empty(t, response.Header["Set-Cookie"], "nothing is new")
	require.Empty(t, b.queued())
}

func httptestRequest() *http.Request { r, _ := http.NewRequest(http.MethodGet, shop, nil); return r }

// Monday a click; the id rotates at login; next week a new visit has a new id.
func TestClickFollowsTheShopperThroughRotatingSessions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		monday := now()
		b.browser.get("/?cjevent=" + clickA)
		own := b.browser.cookie(cookieSession)
		require.Equal(t, []record{{put, own, clickA, monday}}, b.queued())

		time.Sleep(time.Hour)
		login := func(id string) {
			b.handler = func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "sid", Value: id, Path: "/"})
			}
			b.browser.get("/login")
			b.handler = func(http.ResponseWriter, *http.Request) {}
		}
		login("s-1")
		require.Equal(t, []record{{put, "s-1", clickA, monday}}, b.queued())
		login("s-1")
		require.Empty(t, b.queued())

		time.Sleep(7 * 24 * time.Hour)
		b.browser.has("sid", "s-2")
		response := b.browser.get("/cart")
		require.Equal(t, []record{{put, "s-2", clickA, monday}}, b.queued())
		require.Nil(t, setCookie(response, "cje"), "CJ's cookie is left alone")
		require.Equal(t, 34_128_000-int((7*24*time.Hour+time.Hour).Seconds()), setCookie(response, cookieCompanion).MaxAge)
		require.Equal(t, 2.0, b.metric("rebound_total"))

		// An old session comes back: it is remembered.
		b.browser.has("sid", "s-1")
		require.Empty(t, b.browser.get("/cart").Header["Set-Cookie"])
		require.Empty(t, b.queued())

		time.Sleep(cookieLife)
		b.browser.has("cje", clickA)
		b.browser.has("sid", "s-3")
		b.browser.get("/cart")
		require.Equal(t, []record{{put, "s-3", clickA, now()}}, b.queued()[:1], "what is remembered ends with the window")
	})
}

func TestEveryNewClickOverwrites(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t)
		b.browser.has("sid", "s-1")
		first := now()
		b.browser.get("/?cjevent=" + clickA)
		time.Sleep(time.Minute)
		b.browser.get("/?cjevent=" + clickB)
		require.Equal(t, clickB, b.browser.cookie("cje"))
		require.Equal(t, []record{{put, "s-1", clickA, first}, {put, "s-1", clickB, now()}}, b.queued())

		// The page is loaded again: the same click, caught once.
		second := now()
		time.Sleep(time.Hour)
		response := b.browser.get("/?cjevent=" + clickB)
		require.NotNil(t, setCookie(response, "cje"))
		require.Empty(t, b.queued())
		b.browser.has("sid", "s-2")
		b.browser.get("/?cjevent=" + clickB)
		require.Equal(t, []record{{put, "s-2", clickB, second}}, b.queued(), "with its first time")
	})
}

func TestCompanionThatIsNotOursIsIgnored(t *testing.T) {
	t.Parallel()
	other := keys{{"another secret of 16"}}
	known := companion{}
	known.click.ID, known.click.CapturedAt = clickA, now().Add(-time.Hour)
	for name, value := range map[string]string{
		"Garbage": "garbage", "Empty fields": "1....", "AnotherSecret": other[0].seal(known), "Long": strings.Repeat("a", 4096),
		"Changed": strings.Replace(keys{{secret}}[0].seal(known), clickA, clickB, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.browser.has("cje", clickB)
			b.browser.has("sid", "s-1")
			b.browser.has(cookieCompanion, value)
			before := now()
			b.browser.get("/")
			queued := b.queued()
			require.Len(t, queued, 1)
			require.Equal(t, clickB, queued[0].click)
			require.False(t, queued[0].at.Before(before), "caught when it was first seen")
			require.Equal(t, 1.0, b.metric("refused_total{forged_companion}"))
			require.Equal(t, 1.0, b.metric("adopted_total"))
			b.browser.get("/")
			require.Empty(t, b.queued(), "and remembered from then on")
		})
	}
}

// A browser may keep a cookie for longer than it was told to.
func TestCompanionOfAClickThatCannotCountAnyMoreIsIgnored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := companion{click: schema.Click{ID: clickA, CapturedAt: now().Add(-cookieLife - time.Second)}}
	old.bind(b.keys[0].hash("s-1"))
	b.browser.has("cje", clickA)
	b.browser.has("sid", "s-1")
	b.browser.has(cookieCompanion, b.keys[0].seal(old))
	before := now()
	b.browser.get("/")
	queued := b.queued()
	require.Len(t, queued, 1)
	require.False(t, queued[0].at.Before(before))
	require.Zero(t, b.metric("refused_total{forged_companion}"))
}

// A session for every visitor who shows CJ's cookie would be one that no order carries.
func TestSessionIsMadeOnlyForAClickThatLands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.has("cje", clickA)
	require.Empty(t, b.browser.get("/").Header["Set-Cookie"])
	require.Empty(t, b.queued())
	require.Zero(t, b.metric("adopted_total"))
}

// Any of several clicks that no edge has caught might be the last; it must be the same one every time.
func TestFirstOfSeveralUnknownClicksCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := httptest.NewRequest(http.MethodGet, shop, nil)
	r.Header.Set("Cookie", "sid=s-1; cje="+clickB+"; cje="+clickA)
	require.Equal(t, Caught{Bound: 1}, b.Catch(r, http.Header{}))
	require.Equal(t, clickB, b.queued()[0].click)
}

// Another tool may set CJ's cookie on a host that the edge does not serve: it names the last click.
func TestCookieOfAnotherToolWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.has("sid", "s-1")
	b.browser.get("/?cjevent=" + clickA)
	b.queued()
	b.browser.has("cje", clickB)
	b.browser.get("/")
	queued := b.queued()
	require.Len(t, queued, 1)
	require.Equal(t, clickB, queued[0].click)
}

// A cookie of the host alone, from before there was a cookie domain, stands before ours in every request.
func TestOlderCookieOfTheHostDoesNotHideTheClick(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at, _ := url.Parse(shop)
	b.browser.jar.SetCookies(at, []*http.Cookie{{Name: "cje", Value: clickB, Path: "/"}, {Name: cookieCompanion, Value: "1.x.y.z", Path: "/"}})
	b.browser.get("/?cjevent=" + clickA)
	b.queued()
	b.browser.has("sid", "s-1")
	b.browser.get("/")
	queued := b.queued()
	require.Len(t, queued, 1)
	require.Equal(t, clickA, queued[0].click)
}

func TestLatestOfSeveralCompanionsCounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sealed := func(id string, age time.Duration) string {
		c := companion{click: schema.Click{ID: id, CapturedAt: now().Add(-age)}}
		c.bind(b.keys[0].hash("s-1"))
		return b.keys[0].seal(c)
	}
	older, later := sealed(clickA, time.Hour), sealed(clickB, time.Minute)
	for _, values := range [][2]string{{older, later}, {later, older}} {
		r := httptest.NewRequest(http.MethodGet, shop, nil)
		r.Header.Set("Cookie", "sid=s-1; cje="+clickA+"; cje="+clickB+"; cjrelay_click="+values[0]+"; cjrelay_click="+values[1])
		require.Equal(t, clickB, b.look(r).known.click.ID)
		require.Equal(t, Caught{}, b.Catch(r, http.Header{}))
	}
}

// Who deletes CJ's cookie takes the click back.
func TestClickIsGoneWithTheCookie(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.get("/?cjevent=" + clickA)
	b.queued()
	b.browser.from = "203.0.113.8:1"
	companion := b.browser.cookie(cookieCompanion)
	b.browser = newBrowser(b)
	b.browser.has(cookieCompanion, companion)
	b.browser.has("sid", "s-2")
	require.Empty(t, b.browser.get("/").Header["Set-Cookie"])
	require.Empty(t, b.queued())
}

func TestSecretsRotate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.has("sid", "s-1")
	b.browser.get("/?cjevent=" + clickA)
	at := b.queued()[0].at
	jar, before := b.browser.jar, b.browser.cookie(cookieCompanion)

	rotated := setup(t, func(c *Config) { c.Secrets = []string{"a new secret of sixteen", secret} })
	rotated.browser.jar = jar
	require.NotNil(t, setCookie(rotated.browser.get("/"), cookieCompanion), "it is sealed anew")
	require.Empty(t, rotated.queued(), "and the session is still bound")

	login := setup(t, func(c *Config) { c.Secrets = []string{"a new secret of sixteen", secret} })
	login.browser.jar = jar
	login.browser.has(cookieCompanion, before)
	login.browser.has("sid", "s-login")
	login.browser.get("/")
	require.Equal(t, []record{{put, "s-login", clickA, at}}, login.queued(), "a session that the old secret did not bind")
	login.browser.has("sid", "s-1")
	login.browser.get("/")
	require.Equal(t, []record{{put, "s-1", clickA, at}}, login.queued(), "one that was not shown meanwhile is only written again")

	alone := setup(t, func(c *Config) { c.Secrets = []string{"a new secret of sixteen"} })
	alone.browser.jar = jar
	require.Empty(t, alone.browser.get("/").Header["Set-Cookie"])
	alone.browser.has("sid", "s-2")
	alone.browser.get("/")
	require.Equal(t, []record{{put, "s-2", clickA, at}}, alone.queued())
}

func TestCompanionStaysSmall(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.get("/?cjevent=" + strings.Repeat("Z", 64))
	for i := range 100 {
		b.browser.has("sid", "session-"+string(rune('a'+i%26))+strings.Repeat("x", i))
		b.browser.get("/")
	}
	require.Less(t, len(b.browser.cookie(cookieCompanion)), 400)
	b.queued()
	b.browser.get("/")
	require.Empty(t, b.queued())
}

func TestSharedCachesDoNotKeepCookies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		shop []string
		sent string
	}{
		"Nothing":   {nil, "private"},
		"Public":    {[]string{"public, max-age=60, s-maxage=600"}, "private, max-age=60"},
		"TwoLines":  {[]string{"max-age=60", "Public, S-MaxAge=600"}, "private, max-age=60"},
		"LastLine":  {[]string{"max-age=60", "no-store"}, "max-age=60; no-store"},
		"Private":   {[]string{"private, max-age=60"}, "private, max-age=60"},
		"Qualified": {[]string{`max-age=1, private="x"`}, "private, max-age=1"},
		"NoStore":   {[]string{"no-store"}, "no-store"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.handler = func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Cache-Control"] = test.shop
				w.Header().Set("Surrogate-Control", "max-age=600")
				w.Header().Set("CDN-Cache-Control", "max-age=600")
			}
			response := b.browser.get("/?cjevent=" + clickA)
			require.Equal(t, test.sent, strings.Join(response.Header["Cache-Control"], "; "))
			require.Empty(t, response.Header.Get("Surrogate-Control"))
			require.Empty(t, response.Header.Get("CDN-Cache-Control"))
		})
	}
}

func TestSessionThatTheShopTakesAwayIsNone(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string][]string{
		"MaxAge": {"sid=s-1; Max-Age=0"}, "Expires": {"sid=s-1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"}, "Empty": {"sid=; Path=/"},
		"GivenBefore": {"sid=s-1; Path=/", "sid=gone; Max-Age=0"}, "AnotherName": {"sid2=s-1", "xsid=s-2"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header()["Set-Cookie"] = lines }
			b.browser.get("/?cjevent=" + clickA)
			require.Equal(t, []string{b.browser.cookie(cookieSession)}, b.queuedSessions())
		})
	}
}

// Max-Age counts before Expires (RFC 6265, section 5.3).
func TestSessionWithAMaxAgeLives(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.handler = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "sid=s-1; Max-Age=3600; Expires=Thu, 01 Jan 1970 00:00:00 GMT")
	}
	b.browser.get("/?cjevent=" + clickA)
	require.Equal(t, []string{"s-1"}, b.queuedSessions())
}

func TestSessionThatShowsTwiceIsWrittenOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.SessionHeader = "X-Session" })
	b.browser.has("sid", "s-1")
	b.handler = func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Session", "s-1") }
	b.browser.get("/?cjevent=" + clickA)
	require.Equal(t, []string{"s-1"}, b.queuedSessions())
}

// The order may carry ours even when the shop has a session of its own by then.
func TestOwnSessionIsWrittenBesideTheShops(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.browser.get("/?cjevent=" + clickA)
	own := b.queuedSessions()[0]
	b.browser.has("sid", "s-1")
	b.browser.get("/?cjevent=" + clickB)
	require.ElementsMatch(t, []string{"s-1", own}, b.queuedSessions())
}
