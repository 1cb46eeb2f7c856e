package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

// post makes one request with a body.
func (b *bundle) post(t *testing.T, path, authorization, body string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost"+path, strings.NewReader(body))
	require.NoError(t, err)
	if authorization != "" {
		request.Header.Set("Authorization", authorization)
	}
	response, err := b.client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(text)
}

func TestForget(t *testing.T) {
	t.Parallel()
	const bearer, body = "Bearer " + token, `{"session":"s-1"}`

	t.Run("ErasesWithTheToken", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var forgotten []string
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Token = token
				c.Forget = func(_ context.Context, session string) error {
					forgotten = append(forgotten, session)
					return nil
				}
			})
			response, text := b.post(t, ForgetPath, bearer, body)
			require.Equal(t, http.StatusNoContent, response.StatusCode)
			require.Empty(t, text)
			require.Equal(t, []string{"s-1"}, forgotten)
		})
	})

	t.Run("IsShutWithoutTheTokenAlsoOnLoopback", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			never := func(context.Context, string) error { panic("forgotten by a stranger") }
			for configured, want := range map[string]int{"": http.StatusForbidden, token: http.StatusUnauthorized} {
				b := setup(t, "127.0.0.1", func(c *Config) { c.Token, c.Forget = configured, never })
				for _, authorization := range []string{"", "Bearer ", "Bearer wrong", "Basic " + token} {
					response, _ := b.post(t, ForgetPath, authorization, body)
					require.Equal(t, want, response.StatusCode)
				}
			}
		})
	})

	t.Run("TakesOneSessionAndNothingElse", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Token, c.Forget = token, func(context.Context, string) error { panic("not a session") }
			})
			for _, wrong := range []string{"", "s-1", `"s-1"`, `{}`, `{"session":""}`, `{"session":7}`, `{"session":["s-1"]}`, `{"sessions":"s-1"}`, body + body, body + "x",
				`{"session":"` + strings.Repeat("x", forgetBytes) + `"}`} {
				response, text := b.post(t, ForgetPath, bearer, wrong)
				require.Equal(t, http.StatusBadRequest, response.StatusCode, wrong)
				require.NotContains(t, text, "s-1")
			}
			response, _ := b.ask(t, http.MethodGet, ForgetPath, bearer)
			require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
		})
	})

	t.Run("TellsWhoIsToBlame", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			for err, want := range map[error]int{
				&schema.FieldError{Field: "session", Rule: "must be visible ASCII"}: http.StatusBadRequest,
				errors.New("the disk is full"):                                      http.StatusServiceUnavailable,
			} {
				b := setup(t, "127.0.0.1", func(c *Config) { c.Token, c.Forget = token, func(context.Context, string) error { return err } })
				response, text := b.post(t, ForgetPath, bearer, body)
				require.Equal(t, want, response.StatusCode)
				require.Equal(t, err.Error()+"\n", text)
			}
		})
	})

	t.Run("GivesUpWhenTheDiskHangs", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			b := setup(t, "127.0.0.1", func(c *Config) {
				c.Token, c.Forget = token, func(ctx context.Context, _ string) error {
					<-ctx.Done()
					return ctx.Err()
				}
			})
			response, _ := b.post(t, ForgetPath, bearer, body)
			require.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
		})
	})

	t.Run("IsNotThereWhereNothingForgets", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			response, _ := setup(t, "127.0.0.1", func(c *Config) { c.Token = token }).post(t, ForgetPath, bearer, body)
			require.Equal(t, http.StatusNotFound, response.StatusCode)
		})
	})
}

func TestTroublesAreShownAndLeaveTheProcessReady(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "127.0.0.1", func(c *Config) {
			c.Ready = func() []Check { return []Check{{Name: "running"}} }
			c.Troubles = func() []Check { return []Check{{"kafka", errors.New("no\nbroker")}, {"room", nil}} }
		})
		response, text := b.ask(t, http.MethodGet, "/readyz", "")
		require.Equal(t, http.StatusOK, response.StatusCode)
		require.Equal(t, "[!] kafka: no; broker\nready\n", text)
		_, text = b.ask(t, http.MethodGet, "/readyz?verbose", "")
		require.Equal(t, "[+] running\n[!] kafka: no; broker\n[+] room\nready\n", text)
	})
}
