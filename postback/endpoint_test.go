package postback_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/postback"
)

func TestNewClientChecksTheEndpoint(t *testing.T) {
	t.Parallel()
	for _, endpoint := range []string{
		postback.EndpointCJ, "https://cj.example.com", "https://cj.example.com:8443/a/b", "http://localhost:8080/u", "http://LOCALHOST/u",
		"http://127.0.0.1:8080/u", "http://127.8.8.8/u", "http://[::1]:8080/u", "http://[::ffff:127.0.0.1]/u",
	} {
		t.Run("Good/"+endpoint, func(t *testing.T) {
			t.Parallel()
			client, err := postback.NewClient(postback.ClientConfig{Endpoint: endpoint})
			require.NoError(t, err)
			client.Close()
		})
	}
	for _, test := range []struct{ name, endpoint, want string }{
		{"None", "", "endpoint must be given, for example https://www.emjcd.com/u"},
		{"Relative", "www.emjcd.com/u", `endpoint "www.emjcd.com/u": must be an absolute URL like https://www.emjcd.com/u`},
		{"OtherScheme", "ftp://www.emjcd.com/u", "must be an absolute URL"},
		{"NoHost", "https:///u", "must be an absolute URL"},
		{"PortOnly", "https://:443/u", "must be an absolute URL"},
		{"Blank", "https://www.emjcd.com/u ", "must be an absolute URL"},
		{"NotAURL", "https://jane:hunter two@\x7f/", "must be an absolute URL"},
		{"User", "https://jane:hunter@www.emjcd.com/u", "must not hold a user name or password"},
		{"UserOverHTTP", "http://jane:hunter@www.emjcd.com/u", "must not hold a user name or password"},
		{"Query", "https://www.emjcd.com/u?CJEVENT=hunter", "must end with the path"},
		{"EmptyQuery", "https://www.emjcd.com/u?", "must end with the path"},
		{"Fragment", "https://www.emjcd.com/u#hunter", "must end with the path"},
		{"ClearText", "http://www.emjcd.com/u", `endpoint "http://www.emjcd.com/u": must use https: orders and click ids may not cross a network in clear text; http is only for this machine (localhost, 127.0.0.1, [::1])`},
		{"ClearTextToPrivateNetwork", "http://10.0.0.1/u", "must use https"},
		{"NotReallyLocalhost", "http://localhost.example.com/u", "must use https"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client, err := postback.NewClient(postback.ClientConfig{Endpoint: test.endpoint})
			require.Nil(t, client)
			require.ErrorContains(t, fieldError(t, err), test.want)
			require.NotContains(t, err.Error(), "jane")
			require.NotContains(t, err.Error(), "hunter")
		})
	}
}

func TestNewClientChecksTheRest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		field  string
		config postback.ClientConfig
	}{
		{"timeout", postback.ClientConfig{Timeout: -time.Second}},
		{"concurrency", postback.ClientConfig{Concurrency: -1}},
		{"user_agent", postback.ClientConfig{UserAgent: "a\r\nX-Evil: b"}},
		{"user_agent", postback.ClientConfig{UserAgent: "é"}},
	} {
		t.Run(test.field, func(t *testing.T) {
			t.Parallel()
			test.config.Endpoint = postback.EndpointCJ
			_, err := postback.NewClient(test.config)
			require.Equal(t, test.field, fieldError(t, err).Field)
		})
	}
}
