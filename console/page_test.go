package console

import (
	"bufio"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// relay is a relay that knows three orders.
type relay struct{}

func (relay) State() State {
	return State{Topic: "order.confirmed", Group: "cjrelay", Paused: []string{"breaker"}, Breaker: []Turn{{State: "open"}}, Rules: []Rule{}, Partitions: []Partition{}}
}

func (relay) Orders(asked Asked, limit int) []Order {
	var found []Order
	for _, o := range []Order{{OrderID: "ORD-1", Outcome: "acknowledged", URL: "https://cj.test/u?CID=1&TYPE=2"}, {OrderID: "ORD-10", Outcome: "dead_letter"}, {OrderID: "ORD-2"}} {
		if asked.Fits(o.OrderID, o.Outcome) && len(found) < limit {
			found = append(found, o)
		}
	}
	return found
}

func withRelay(c *Config) {
	c.Relay = relay{}
	c.Ready = func() []Check { return []Check{{"clicks", nil}, {"group", errors.New("not a member")}} }
}

func TestPageIsThereOnLoopback(t *testing.T) {
	bubble(t, func(t *testing.T) {
		response, body := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/", "")
		require.Equal(t, 200, response.StatusCode)
		require.Equal(t, "text/html; charset=utf-8", response.Header.Get("Content-Type"))
		require.Contains(t, body, "<title>cjrelay</title>")
	})
}

// Elsewhere the page that asks for the token is all there is without one.
func TestPageNeedsTheTokenElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "192.0.2.7", func(c *Config) { withRelay(c); c.Token = token })
		for _, path := range []string{"/", "/state", "/history", "/events", "/orders"} {
			response, body := b.ask(t, "GET", path, "")
			require.Equal(t, http.StatusUnauthorized, response.StatusCode, path)
			require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"), path)
			require.NotContains(t, body, "ORD-", path)
		}
		response, _ := b.ask(t, "GET", "/", "Bearer "+token)
		require.Equal(t, 200, response.StatusCode)
		_, body := b.ask(t, "GET", "/orders", "Bearer "+token)
		require.Contains(t, body, "ORD-1")
	})
}

// What an order or an error says can neither run nor load anything, and nothing is told to anybody else.
func TestPageMayDoNothingElse(t *testing.T) {
	bubble(t, func(t *testing.T) {
		response, _ := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/", "")
		directives := map[string]string{}
		for directive := range strings.SplitSeq(response.Header.Get("Content-Security-Policy"), "; ") {
			name, sources, _ := strings.Cut(directive, " ")
			directives[name] = sources
		}
		require.Equal(t, map[string]string{
			"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self'", "connect-src": "'self'",
			"base-uri": "'none'", "form-action": "'none'", "frame-ancestors": "'none'",
		}, directives)
		require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "no-referrer", response.Header.Get("Referrer-Policy"))
		require.Equal(t, "no-cache", response.Header.Get("Cache-Control"), "another version has another page")
	})
}

// A cache between would show what held a while ago, and keep what is a shopper's.
func TestWhatHoldsNowIsKeptByNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "127.0.0.1", func(c *Config) { withRelay(c); c.Clicks = echoing })
		for _, path := range []string{"/state", "/history", "/orders", "/clicks?session=s-1"} {
			response, _ := b.ask(t, "GET", path, "")
			require.Equal(t, "no-store", response.Header.Get("Cache-Control"), path)
		}
	})
}

func TestStateIsJSON(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, body := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/state", "")
		var state State
		require.NoError(t, json.Unmarshal([]byte(body), &state))
		require.Equal(t, "1.2.3", state.Version)
		require.Equal(t, []Ready{{Name: "clicks"}, {Name: "group", Trouble: "not a member"}}, state.Ready)
		require.Equal(t, []string{"breaker"}, state.Paused)
		require.False(t, state.Actions)
		require.NotContains(t, body, "null", "a page need not tell null from empty")
		_, body = setup(t, "127.0.0.1", func(c *Config) { withRelay(c); c.Token = token }).ask(t, "GET", "/state", "")
		require.Contains(t, body, `"actions":true`)
		require.NotContains(t, body, token)
	})
}

// Somebody copies the URL out of a terminal.
func TestAddressesAreWrittenAsTheyAre(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, body := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/orders?id=ORD-1", "")
		require.Contains(t, body, `"https://cj.test/u?CID=1&TYPE=2"`)
	})
}

func TestEventsComeEverySecondUntilTheProcessStops(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "127.0.0.1", withRelay)
		request, err := http.NewRequestWithContext(t.Context(), "GET", "http://localhost/events", nil)
		require.NoError(t, err)
		response, err := b.client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
		require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
		lines, began := bufio.NewScanner(response.Body), time.Now()
		// Longer than the port lets any other answer take.
		for range 100 {
			require.True(t, lines.Scan())
			data, found := strings.CutPrefix(lines.Text(), "data: ")
			require.True(t, found)
			require.True(t, json.Valid([]byte(data)))
			require.True(t, lines.Scan())
			require.Empty(t, lines.Text())
		}
		require.Equal(t, 99*time.Second, time.Since(began))
		b.stop()
		require.False(t, lines.Scan(), "a page that is open must not hold the process")
		<-b.served
		require.Less(t, time.Since(began), 99*time.Second+grace, "nor for as long as the port lets requests end")
	})
}

func TestOrdersAreFound(t *testing.T) {
	tests := map[string]struct{ query, found string }{
		"All":           {"", "ORD-1 ORD-10 ORD-2"},
		"ByPart":        {"?q=ord-1", "ORD-1 ORD-10"},
		"ByWholeID":     {"?id=ORD-1", "ORD-1"},
		"Unfinished":    {"?only=unfinished", "ORD-2"},
		"ByOutcome":     {"?only=dead_letter", "ORD-10"},
		"Limited":       {"?limit=1", "ORD-1"},
		"NoneIsAnEmpty": {"?id=ORD-7", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				_, body := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/orders"+test.query, "")
				var found []Order
				require.NoError(t, json.Unmarshal([]byte(body), &found))
				require.NotNil(t, found, "[], not null")
				ids := make([]string, len(found))
				for i, order := range found {
					ids[i] = order.OrderID
				}
				require.Equal(t, test.found, strings.Join(ids, " "))
			})
		})
	}
	// A typing mistake must not look like an order that nobody knows.
	for _, only := range []string{"acked", "Unfinished", "dead letter"} {
		t.Run("Only "+only, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				response, body := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/orders?only="+url.QueryEscape(only), "")
				require.Equal(t, 400, response.StatusCode)
				require.Equal(t, "only must be one of unfinished, acknowledged, unattributed, duplicate, dead_letter, parked\n", body)
			})
		})
	}
	for _, limit := range []string{"0", "201", "-1", "many"} {
		t.Run("LimitOf"+limit, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				response, body := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/orders?limit="+limit, "")
				require.Equal(t, 400, response.StatusCode)
				require.Equal(t, "limit must be 1 to 200\n", body)
			})
		})
	}
}

// private is a relay with an order whose id a platform put an address into.
type private struct{ relay }

func (private) Orders(asked Asked, _ int) []Order {
	if !asked.Fits("jane.doe@example.com", "dead_letter") {
		return nil
	}
	return []Order{{OrderID: "jane.doe@example.com", Outcome: "dead_letter"}}
}

// Who knows the id finds the order by it, and nobody else learns it.
func TestOrderIDThatIsAnAddressIsNotShown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "127.0.0.1", func(c *Config) { withRelay(c); c.Relay = private{} })
		for _, query := range []string{"", "?id=jane.doe@example.com", "?q=jane"} {
			_, body := b.ask(t, "GET", "/orders"+query, "")
			require.Contains(t, body, `"order_id":"(20 characters)"`, query)
			require.NotContains(t, body, "jane", query)
		}
	})
}

// The policy forbids the browser what is not of this port, and the files must not need it.
func TestPageIsOfThisPortAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "127.0.0.1", withRelay)
		linked := regexp.MustCompile(`(?:src|href)="([^"]+)"|from "(\./[^"]+)"`)
		require.NoError(t, fs.WalkDir(assets, ".", func(path string, entry fs.DirEntry, err error) error {
			require.NoError(t, err)
			if entry.IsDir() {
				return nil
			}
			text, err := fs.ReadFile(assets, path)
			require.NoError(t, err)
			for _, banned := range []string{"https://", "<style", " style=\"", " onclick=", "@import", "eval("} {
				require.NotContains(t, string(text), banned, path)
			}
			for _, match := range linked.FindAllStringSubmatch(string(text), -1) {
				target := strings.Replace(match[1]+match[2], "./", "/page/", 1)
				if strings.HasPrefix(target, "#") {
					continue
				}
				response, _ := b.ask(t, "GET", target, "")
				require.Less(t, response.StatusCode, 400+200*strings.Count(target, "readyz"), "%s links to %s", path, target)
				if strings.HasPrefix(target, "/page/") {
					require.Equal(t, policy, response.Header.Get("Content-Security-Policy"))
					require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))
				}
			}
			return nil
		}))
	})
}
