package console

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// acting is a configuration with an action that counts, and the log it writes.
func acting(token string) (change func(*Config), done *int, log *bytes.Buffer) {
	done, log = new(int), &bytes.Buffer{}
	return func(c *Config) {
		c.Token, c.Log = token, slog.New(slog.NewTextHandler(log, nil))
		c.Actions = map[string]Action{
			"sending/hold": func(context.Context, func(string) string) (any, error) {
				*done++
				return map[string]bool{"held": true}, nil
			},
			"held/{stage}/stop": func(_ context.Context, asked func(string) string) (any, error) {
				*done++
				return map[string]string{"stage": asked("stage"), "why": asked("why")}, nil
			},
			"held/{stage}/release": func(ctx context.Context, asked func(string) string) (any, error) {
				switch asked("stage") {
				case "broken":
					return nil, errors.New("it is broken")
				case "taken":
					return nil, fmt.Errorf("%w: somebody has it", ErrConflict)
				case "vague":
					return nil, fmt.Errorf("%w: why is missing", ErrMisasked)
				case "slow":
					<-ctx.Done()
					return nil, ctx.Err()
				}
				return nil, fmt.Errorf("%w: stage %q", ErrNoSuch, asked("stage"))
			},
		}
	}, done, log
}

func TestActionsNeedTheTokenEverywhere(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ip, token, authorization string
		status                   int
		body                     string
	}{
		"OffWithoutATokenOnLoopback":  {"127.0.0.1", "", "", 403, "actions are off: set admin.token\n"},
		"OffWithoutATokenElsewhere":   {"10.0.0.7", "", "Bearer ", 403, "actions are off: set admin.token\n"},
		"RefusedOnLoopback":           {"127.0.0.1", token, "", 401, "this needs the admin token: send it as Authorization: Bearer\n"},
		"RefusedElsewhere":            {"10.0.0.7", token, "Bearer " + token[1:], 401, "this needs the admin token: send it as Authorization: Bearer\n"},
		"RefusedWithALongerToken":     {"10.0.0.7", token, "Bearer " + token + "x", 401, "this needs the admin token: send it as Authorization: Bearer\n"},
		"RefusedWithAnotherScheme":    {"127.0.0.1", token, "Basic " + token, 401, "this needs the admin token: send it as Authorization: Bearer\n"},
		"DoneWithTheTokenOnLoopback":  {"127.0.0.1", token, "Bearer " + token, 200, "{\"held\":true}\n"},
		"DoneWithTheTokenElsewhere":   {"10.0.0.7", token, "Bearer " + token, 200, "{\"held\":true}\n"},
		"DoneWithTheSchemeInAnyCase":  {"10.0.0.7", token, "bearer " + token, 200, "{\"held\":true}\n"},
		"RefusedWithTheTokenAsAQuery": {"127.0.0.1", token, "?token=" + token, 401, "this needs the admin token: send it as Authorization: Bearer\n"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				change, done, log := acting(test.token)
				response, body := setup(t, test.ip, change).ask(t, "POST", "/actions/sending/hold", test.authorization)
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.body, body)
				require.Equal(t, test.status == 200, response.Header.Get("Content-Type") == "application/json")
				require.Equal(t, test.status == 401, response.Header.Get("WWW-Authenticate") == "Bearer")
				require.Equal(t, test.status == 200, *done == 1)
				require.NotContains(t, log.String(), token)
			})
		})
	}
}

func TestActionsAreOnlyPosted(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		t.Run(method, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				change, done, _ := acting(token)
				response, _ := setup(t, "127.0.0.1", change).ask(t, method, "/actions/sending/hold", "Bearer "+token)
				require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
				require.Equal(t, "POST", response.Header.Get("Allow"))
				require.Zero(t, *done)
			})
		})
	}
}

func TestActions(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path   string
		status int
		body   string
		log    string
	}{
		"WithAWildcard":    {"/actions/held/cj/stop", 200, "{\"stage\":\"cj\",\"why\":\"\"}\n", `level=WARN msg="operator action" action=/actions/held/cj/stop remote=`},
		"WithAQuery":       {"/actions/held/cj/stop?why=so&stage=decode", 200, "{\"stage\":\"cj\",\"why\":\"so\"}\n", `action=/actions/held/cj/stop remote=`},
		"InConflict":       {"/actions/held/taken/release", 409, "this cannot be done now: somebody has it\n", `msg="operator action failed"`},
		"Misasked":         {"/actions/held/vague/release", 400, "this cannot be asked: why is missing\n", `msg="operator action failed"`},
		"ThatTakesForEver": {"/actions/held/slow/release", 500, "context deadline exceeded\n", `msg="operator action failed"`},
		"NoSuchThing":      {"/actions/held/x/release", 404, "there is no such thing: stage \"x\"\n", `msg="operator action failed" action=/actions/held/x/release remote=`},
		"ThatFails":        {"/actions/held/broken/release", 500, "it is broken\n", `msg="operator action failed" action=/actions/held/broken/release remote=`},
		"UnknownAction":    {"/actions/sending/explode", 404, "", ""},
		"BelowAnAction":    {"/actions/sending/hold/it", 404, "", ""},
		"TheFolderOfThem":  {"/actions/", 404, "", ""},
		"WildcardOfNought": {"/actions/held//stop", 307, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				change, _, log := acting(token)
				b := setup(t, "10.0.0.7", change)
				b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				response, body := b.ask(t, "POST", test.path, "Bearer "+token)
				require.Equal(t, test.status, response.StatusCode)
				if test.body == "" {
					require.Empty(t, log.String())
					return
				}
				require.Equal(t, test.body, body)
				require.Contains(t, log.String(), test.log)
				require.NotContains(t, log.String(), token)
			})
		})
	}
	t.Run("AreNotThereWhereThereIsNothingToDo", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			response, _ := setup(t, "127.0.0.1", func(c *Config) { c.Token = token }).ask(t, "POST", "/actions/sending/hold", "Bearer "+token)
			require.Equal(t, 404, response.StatusCode)
		})
	})
}
