package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// lettered answers every question with one letter, and keeps what was asked.
func lettered(asked *AskedLetters) func(*Config) {
	return func(c *Config) {
		c.Token = token
		c.Letters = func(_ context.Context, question AskedLetters) (Letters, error) {
			*asked = question
			return Letters{
				Topic: "dlq", Waiting: map[string]int{"rejected": 3}, Stuck: map[string]int{},
				Letters: []Letter{{Letter: Place{"dlq", 0, 5}, OrderID: "ORD-7", Reason: "rejected", Error: "CJ answered 400", Waits: true}},
			}, nil
		}
	}
}

func TestLettersAreAskedFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		query string
		want  AskedLetters
	}{
		"All":      {"", AskedLetters{Limit: 200}},
		"ByReason": {"?reason=too_large", AskedLetters{Reason: "too_large", Limit: 200}},
		"ByPart":   {"?q=ord%2D7", AskedLetters{Part: "ord-7", Limit: 200}},
		"Redriven": {"?redriven=1", AskedLetters{Redriven: true, Limit: 200}},
		"Waiting":  {"?redriven=0&limit=7", AskedLetters{Limit: 7}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var asked AskedLetters
				response, body := setup(t, "127.0.0.1", lettered(&asked)).ask(t, "GET", "/letters"+test.query, "")
				require.Equal(t, 200, response.StatusCode)
				require.Equal(t, "application/json", response.Header.Get("Content-Type"))
				require.Equal(t, "no-store", response.Header.Get("Cache-Control"))
				require.Equal(t, test.want, asked)
				var letters Letters
				require.NoError(t, json.Unmarshal([]byte(body), &letters))
				require.Equal(t, "ORD-7", letters.Letters[0].OrderID)
				require.Equal(t, 3, letters.Waiting["rejected"])
			})
		})
	}
	for name, test := range map[string]struct{ query, body string }{
		"LimitOfNone":    {"?limit=0", "limit must be 1 to 200\n"},
		"LimitTooHigh":   {"?limit=201", "limit must be 1 to 200\n"},
		"LimitNoNumber":  {"?limit=x", "limit must be 1 to 200\n"},
		"RedrivenPlease": {"?redriven=please", "redriven must be 0 or 1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var asked AskedLetters
				response, body := setup(t, "127.0.0.1", lettered(&asked)).ask(t, "GET", "/letters"+test.query, "")
				require.Equal(t, 400, response.StatusCode)
				require.Equal(t, test.body, body)
				require.Zero(t, asked)
			})
		})
	}
}

func TestLettersAreGuarded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var asked AskedLetters
		b := setup(t, "10.0.0.7", lettered(&asked))
		response, body := b.ask(t, "GET", "/letters", "")
		require.Equal(t, http.StatusUnauthorized, response.StatusCode)
		require.NotContains(t, body, "ORD-")
		require.Zero(t, asked, "nothing is read for whoever may not see it")
		response, _ = b.ask(t, "GET", "/letters", "Bearer "+token)
		require.Equal(t, 200, response.StatusCode)
	})
}

func TestLettersThatCannotBeRead(t *testing.T) {
	t.Parallel()
	t.Run("SayWhy", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Letters = func(context.Context, AskedLetters) (Letters, error) { return Letters{}, errors.New("no brokers") }
			})
			response, body := b.ask(t, "GET", "/letters", "")
			require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
			require.Equal(t, "no brokers\n", body)
		})
	})
	t.Run("AreNotWaitedForLongerThanThePortAnswers", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			began := time.Now()
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Letters = func(ctx context.Context, _ AskedLetters) (Letters, error) {
					<-ctx.Done()
					return Letters{}, ctx.Err()
				}
			})
			response, _ := b.ask(t, "GET", "/letters", "")
			require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
			require.Less(t, time.Since(began), writeTimeout)
		})
	})
	t.Run("AreNotThereWhereNobodyHasThem", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			response, _ := setup(t, "127.0.0.1", withRelay).ask(t, "GET", "/letters", "")
			require.Equal(t, http.StatusNotFound, response.StatusCode)
		})
	})
}
