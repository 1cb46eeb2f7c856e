package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

var noon = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

// echoing answers for every session with what it was asked.
func echoing(_ context.Context, session string, at time.Time) (SessionClicks, error) {
	return SessionClicks{
		Session: session, At: at, Source: SourceTable, Clicks: []SessionClick{{CJEvent: "abc", CapturedAt: noon}},
		Verdict: SessionVerdict{Outcome: schema.Acknowledged, Reason: schema.ReasonJoined, CJEvent: "abc"},
	}, nil
}

func TestClicks(t *testing.T) {
	t.Parallel()
	t.Run("AnswersWithJSONThatIsNotKept", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) { c.Clicks = echoing })
			response, body := b.ask(t, "GET", "/clicks?session=s-1&at=2026-03-27T13:00:00%2B01:00", "")
			require.Equal(t, 200, response.StatusCode)
			require.Equal(t, "application/json", response.Header.Get("Content-Type"))
			require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
			require.JSONEq(t, `{"session":"s-1","at":"2026-03-27T12:00:00Z","source":"table","clicks":[{"cjevent":"abc","captured_at":"2026-03-27T12:00:00Z"}],
				"erased":false,"invalid":false,"verdict":{"outcome":"acknowledged","reason":"joined","cjevent":"abc"}}`, body)
		})
	})
	t.Run("IsNowWithoutATime", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) { c.Clicks = echoing })
			_, body := b.ask(t, "GET", "/clicks?session=s-1", "")
			require.Contains(t, body, `"at":"`+time.Now().UTC().Format(time.RFC3339Nano)+`"`)
		})
	})
	t.Run("TakesAnyBytesForASession", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			const session = "-\xff\x00 é&at=x+%;"
			var asked string
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Clicks = func(_ context.Context, session string, _ time.Time) (SessionClicks, error) {
					asked = session
					return SessionClicks{}, nil
				}
			})
			response, body := b.ask(t, "GET", "/clicks?session="+url.QueryEscape(session), "")
			require.Equal(t, 200, response.StatusCode, body)
			require.Equal(t, session, asked)
		})
	})
	t.Run("FailsForATimeThatJSONDoesNotHave", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Clicks = func(_ context.Context, session string, _ time.Time) (SessionClicks, error) {
					return SessionClicks{Clicks: []SessionClick{{CJEvent: "abc", CapturedAt: time.UnixMilli(math.MaxInt64)}}}, nil
				}
			})
			response, body := b.ask(t, "GET", "/clicks?session=s-1", "")
			require.Equal(t, 500, response.StatusCode)
			require.Contains(t, body, "year outside of range")
		})
	})
	t.Run("IsNotThereWhereNobodyKnowsClicks", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			response, _ := setup(t, "127.0.0.1", nil).ask(t, "GET", "/clicks?session=s-1", "")
			require.Equal(t, 404, response.StatusCode)
		})
	})
	t.Run("IsOnlyLookedAt", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			response, _ := setup(t, "127.0.0.1", func(c *Config) { c.Clicks = echoing }).ask(t, "POST", "/clicks?session=s-1", "")
			require.Equal(t, 405, response.StatusCode)
		})
	})
}

func TestClicksRefusesABadQuestion(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ query, text string }{
		"NoSession":          {"", "session is missing"},
		"EmptySession":       {"?session=&at=2026-03-27T12:00:00Z", "session is missing"},
		"UnreadableEscape":   {"?session=%zz", "percent-encode the session"},
		"Semicolon":          {"?session=a;b", "percent-encode the session"},
		"NoTime":             {"?session=s-1&at=", `at "": must be RFC 3339 with a zone, like 2026-03-27T11:02:07Z`},
		"Day":                {"?session=s-1&at=2026-03-27", `at "2026-03-27": must be RFC 3339`},
		"NoZone":             {"?session=s-1&at=2026-03-27T12:00:00", "must be RFC 3339"},
		"TooLongAgo":         {"?session=s-1&at=1999-12-31T23:59:59Z", "in the years 2000 to 9999"},
		"ThatYearElsewhere":  {"?session=s-1&at=2000-01-01T00:59:59%2B01:00", "in the years 2000 to 9999"},
		"TooFarAhead":        {"?session=s-1&at=9999-12-31T23:59:59-01:00", "in the years 2000 to 9999"},
		"PlusThatIsABlank":   {"?session=s-1&at=2026-03-27T12:00:00+01:00", "write the + of a zone as %2B"},
		"TimeMayBeAnAddress": {"?session=s-1&at=me@example.com", "at (14 characters"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, "127.0.0.1", func(c *Config) { c.Clicks = echoing })
				response, body := b.ask(t, "GET", "/clicks"+test.query, "")
				require.Equal(t, 400, response.StatusCode)
				require.Contains(t, body, test.text)
				require.NotContains(t, body, "s-1")
			})
		})
	}
}

func TestClicksThatCannotBeTold(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		err    error
		status int
	}{
		"Trouble":        {errors.New("reading clicks from cjevent[1]: no route"), 503},
		"AnotherProcess": {fmt.Errorf("%w: partition 1", ErrElsewhere), 421},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, "127.0.0.1", func(c *Config) {
					c.Clicks = func(context.Context, string, time.Time) (SessionClicks, error) { return SessionClicks{}, test.err }
				})
				response, body := b.ask(t, "GET", "/clicks?session=s-1", "")
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.err.Error()+"\n", body)
			})
		})
	}
	t.Run("WithinFiveSeconds", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Clicks = func(ctx context.Context, _ string, _ time.Time) (SessionClicks, error) {
					<-ctx.Done()
					return SessionClicks{}, fmt.Errorf("restoring clicks: 7 records to go (%w)", context.Cause(ctx))
				}
			})
			start := time.Now()
			response, body := b.ask(t, "GET", "/clicks?session=s-1", "")
			require.Equal(t, 503, response.StatusCode)
			require.Equal(t, "restoring clicks: 7 records to go (waited 5s)\n", body)
			require.Equal(t, clicksPatience, time.Since(start))
		})
	})
	t.Run("AndNotLongerThanTheClientStays", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			ended := make(chan error)
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Clicks = func(ctx context.Context, _ string, _ time.Time) (SessionClicks, error) {
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return SessionClicks{}, ctx.Err()
				}
			})
			conn, _, err := b.pipes.open()
			require.NoError(t, err)
			_, err = conn.Write([]byte("GET /clicks?session=s-1 HTTP/1.1\r\nHost: localhost\r\n\r\n"))
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			require.ErrorIs(t, <-ended, context.Canceled)
		})
	})
}

func TestClicksIsGuarded(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ip, authorization string
		status            int
	}{
		"OpenOnLoopback":   {"127.0.0.1", "", 200},
		"ClosedToOthers":   {"10.0.0.7", "", 401},
		"ClosedEverywhere": {"0.0.0.0", "", 401},
		"WrongToken":       {"10.0.0.7", "Bearer " + token + "x", 401},
		"WithTheToken":     {"10.0.0.7", "Bearer " + token, 200},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, test.ip, func(c *Config) { c.Token, c.Clicks = token, echoing })
				response, body := b.ask(t, "GET", "/clicks?session=s-1", test.authorization)
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.status == 200, len(body) > 0 && body[0] == '{')
			})
		})
	}
}
