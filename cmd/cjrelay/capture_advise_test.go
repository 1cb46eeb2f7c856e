package main

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

func TestCaptureSaysWhatIsMostLikelyNotMeant(t *testing.T) {
	t.Parallel()
	const everybody, session, domain = "capture.trusted_proxies holds every address", "neither capture.session_cookie nor capture.session_header is set", "capture.cookie_domain is not set"
	sound := config.Capture{SessionCookie: "sid", CookieDomain: ".example.com", TrustedProxies: []string{"10.0.0.0/8", "10.0.0.7", "::1"}}
	for name, test := range map[string]struct {
		change func(*config.Capture)
		says   string
	}{
		"Nothing":            {func(*config.Capture) {}, ""},
		"NoSession":          {func(c *config.Capture) { c.SessionCookie = "" }, session},
		"NoDomain":           {func(c *config.Capture) { c.CookieDomain = "" }, domain},
		"EverybodyIsTrusted": {func(c *config.Capture) { c.TrustedProxies = []string{"10.0.0.7", "0.0.0.0/0"} }, everybody},
		"EverybodyInIPv6":    {func(c *config.Capture) { c.TrustedProxies = []string{"::/0"} }, everybody},
		"HalfOfAllIsMeantSo": {func(c *config.Capture) { c.TrustedProxies = []string{"128.0.0.0/1"} }, ""},
		"AHeaderIsEnough":    {func(c *config.Capture) { c.SessionCookie, c.SessionHeader = "", "X-Customer-Id" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			shop := sound
			test.change(&shop)
			var said bytes.Buffer
			advise(slog.New(slog.NewTextHandler(&said, nil)), shop)
			for _, advice := range []string{everybody, session, domain} {
				if advice == test.says {
					require.Contains(t, said.String(), advice)
				} else {
					require.NotContains(t, said.String(), advice)
				}
			}
		})
	}
}
