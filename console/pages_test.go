package console

import (
	"errors"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
)

func TestPages(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		method, path string
		status       int
		contentType  string
		body         string
	}{
		"Alive":               {"GET", "/livez", 200, "text/plain; charset=utf-8", "ok\n"},
		"AliveAskedWithHead":  {"HEAD", "/livez", 200, "text/plain; charset=utf-8", ""},
		"Ready":               {"GET", "/readyz", 200, "text/plain; charset=utf-8", "ready\n"},
		"ReadyAskedWithHead":  {"HEAD", "/readyz", 200, "text/plain; charset=utf-8", ""},
		"Version":             {"GET", "/version", 200, "application/json", "{\"version\":\"1.2.3\"}\n"},
		"Config":              {"GET", "/config", 200, "application/yaml", "cj:\n  signature: (16 characters)\n"},
		"UnknownPath":         {"GET", "/nowhere", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		"NoPageWithoutARelay": {"GET", "/", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		"BelowAPage":          {"GET", "/livez/more", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		"UnknownPathPosted":   {"POST", "/nowhere", 404, "text/plain; charset=utf-8", "404 page not found\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				response, body := setup(t, "127.0.0.1", nil).ask(t, test.method, test.path, "")
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.contentType, response.Header.Get("Content-Type"))
				require.Equal(t, test.body, body)
			})
		})
	}
	t.Run("Metrics", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			response, body := setup(t, "127.0.0.1", nil).ask(t, "GET", "/metrics", "")
			require.Equal(t, 200, response.StatusCode)
			require.Contains(t, body, "\ncjrelay_orders_total 42\n")
		})
	})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		t.Run("Not"+method, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, "127.0.0.1", nil)
				for _, path := range []string{"/livez", "/readyz", "/metrics", "/version", "/config"} {
					response, _ := b.ask(t, method, path, "")
					require.Equal(t, 405, response.StatusCode, path)
					require.Equal(t, "GET, HEAD", response.Header.Get("Allow"), path)
				}
			})
		})
	}
}

func TestReadyz(t *testing.T) {
	t.Parallel()
	broken := errors.New("no answer from 127.0.0.1:9092")
	tests := map[string]struct {
		checks []Check
		query  string
		status int
		body   string
	}{
		"AllHold":             {[]Check{{"group", nil}, {"clicks", nil}}, "", 200, "ready\n"},
		"AllHoldVerbose":      {[]Check{{"group", nil}, {"clicks", nil}}, "?verbose", 200, "[+] group\n[+] clicks\nready\n"},
		"VerboseWithAValue":   {[]Check{{"group", nil}}, "?verbose=1", 200, "[+] group\nready\n"},
		"OneDoesNot":          {[]Check{{"group", broken}, {"clicks", nil}}, "", 503, "[-] group: no answer from 127.0.0.1:9092\nnot ready\n"},
		"OneDoesNotVerbose":   {[]Check{{"clicks", nil}, {"group", broken}}, "?verbose", 503, "[+] clicks\n[-] group: no answer from 127.0.0.1:9092\nnot ready\n"},
		"SeveralReasonsInOne": {[]Check{{"offsets", errors.Join(errors.New("partition 1"), errors.New("partition 2"))}}, "", 503, "[-] offsets: partition 1; partition 2\nnot ready\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, "127.0.0.1", func(c *Config) { c.Ready = func() []Check { return test.checks } })
				response, body := b.ask(t, "GET", "/readyz"+test.query, "")
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.body, body)
			})
		})
	}
	t.Run("IsAskedEachTime", func(t *testing.T) {
		bubble(t, func(t *testing.T) {
			var err error
			b := setup(t, "127.0.0.1", func(c *Config) { c.Ready = func() []Check { return []Check{{"group", err}} } })
			for _, err = range []error{nil, broken, nil} {
				response, _ := b.ask(t, "GET", "/readyz", "")
				require.Equal(t, err == nil, response.StatusCode == 200)
			}
		})
	})
}

func TestConfigIsGuarded(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		ip, token, authorization string
		status                   int
	}{
		"OpenOnLoopback":                {"127.0.0.1", "", "", 200},
		"OpenOnLoopbackOfIPv6":          {"::1", "", "", 200},
		"OpenOnLoopbackThoughATokenSet": {"127.0.0.1", token, "", 200},
		"OpenOnAnotherLoopback":         {"127.3.2.1", "", "", 200},
		"ClosedWithoutToken":            {"0.0.0.0", "", "", 401},
		"ClosedOnEveryInterface":        {"::", token, "", 401},
		"ClosedOnAPrivateAddress":       {"10.0.0.7", token, "", 401},
		"WithTheToken":                  {"10.0.0.7", token, "Bearer " + token, 200},
		"SchemeInAnyCase":               {"10.0.0.7", token, "bearer  " + token, 200},
		"WrongToken":                    {"10.0.0.7", token, "Bearer " + token[1:], 401},
		"LongerToken":                   {"10.0.0.7", token, "Bearer " + token + "x", 401},
		"NoScheme":                      {"10.0.0.7", token, token, 401},
		"AnotherScheme":                 {"10.0.0.7", token, "Basic " + token, 401},
		"SchemeAlone":                   {"10.0.0.7", token, "Bearer", 401},
		"EmptyTokenWhereNoneIsSet":      {"10.0.0.7", "", "Bearer ", 401},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				b := setup(t, test.ip, func(c *Config) { c.Token = test.token })
				response, body := b.ask(t, "GET", "/config", test.authorization)
				require.Equal(t, test.status, response.StatusCode)
				require.Equal(t, test.status == 200, strings.Contains(body, "signature"))
				if test.status == 401 {
					require.Equal(t, "Bearer", response.Header.Get("WWW-Authenticate"))
					require.Contains(t, body, "admin.token")
				}
				for _, open := range []string{"/livez", "/readyz", "/metrics", "/version"} {
					response, _ := b.ask(t, "GET", open, "")
					require.Equal(t, 200, response.StatusCode, open)
				}
			})
		})
	}
}

func TestConfigOnLoopbackIsClosedToAnotherName(t *testing.T) {
	t.Parallel()
	for host, status := range map[string]int{
		"localhost": 200, "localhost:9644": 200, "127.0.0.1:9644": 200, "[::1]:9644": 200,
		"rebound.example.com": 401, "rebound.example.com:9644": 401, "10.0.0.7": 401, "": 401, "localhost.example.com": 401,
	} {
		t.Run(host, func(t *testing.T) {
			recorder, request := httptest.NewRecorder(), httptest.NewRequest("GET", "/config", nil)
			request.Host = host
			newServer(Config{Metrics: prometheus.NewRegistry()}, newPipes("127.0.0.1")).routes().ServeHTTP(recorder, request)
			require.Equal(t, status, recorder.Code)
		})
	}
}

func TestNoAnswerShowsTheToken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := setup(t, "10.0.0.7", func(c *Config) { c.Token = token })
		for _, method := range []string{"GET", "HEAD", "POST"} {
			for _, path := range []string{"/", "/livez", "/readyz?verbose", "/metrics", "/version", "/config", "/nowhere"} {
				for _, authorization := range []string{"", "Bearer " + token, "Basic " + token, "Bearer x" + token} {
					response, body := b.ask(t, method, path, authorization)
					head, err := httputil.DumpResponse(response, false)
					require.NoError(t, err)
					require.NotContains(t, string(head)+body, token, "%s %s", method, path)
				}
			}
		}
	})
}
