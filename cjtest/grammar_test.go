package cjtest

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseScript(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]Rule{
		"":        nil,
		" ;\n ; ": nil,
		"ok":      {{}},
		"0s-10s ok; 10s-20s status=503; 20s-25s hang; next=5 status=429 retry-after=2; order=ORD-7 status=400": {
			{Until: 10 * time.Second},
			{From: 10 * time.Second, Until: 20 * time.Second, Status: 503},
			{From: 20 * time.Second, Until: 25 * time.Second, Effect: Hang},
			{Next: 5, Status: 429, RetryAfter: "2"},
			{Order: "ORD-7", Status: 400},
		},
		"1m30s- reset\n every=3 cut ":              {{From: 90 * time.Second, Effect: Reset}, {Every: 3, Effect: Cut}},
		"latency=50ms":                             {{Latency: Fixed(50 * time.Millisecond)}},
		"latency=20ms..80ms malformed":             {{Latency: Between(20*time.Millisecond, 80*time.Millisecond), Effect: Malformed}},
		"latency=40ms~2s ok":                       {{Latency: LogNormal(40*time.Millisecond, 2*time.Second)}},
		"empty;html status=500;headers":            {{Effect: Empty}, {Effect: HTML, Status: 500}, {Effect: Headers}},
		"redirect=https://example.com/?a=b":        {{Effect: Redirect, Location: "https://example.com/?a=b"}},
		"trickle=1/100ms body=slow status=201":     {{Effect: Trickle, Bytes: 1, Tick: 100 * time.Millisecond, Body: "slow", Status: 201}},
		`status=500 body="a; \"b\"\n" next=1;ok`:   {{Status: 500, Body: "a; \"b\"\n", Next: 1}, {}},
		`status=429 retry-after="+30s"`:            {{Status: 429, RetryAfter: "+30s"}},
		"status=503 retry-after=-99999999999999":   {{Status: 503, RetryAfter: "-99999999999999"}},
		"order=ORD-7 next=2 5s-6s every=2 empty\r": {{Order: "ORD-7", Next: 2, From: 5 * time.Second, Until: 6 * time.Second, Every: 2, Effect: Empty}},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			rules, err := ParseScript(text)
			require.NoError(t, err)
			require.Equal(t, want, rules)
		})
	}
}

func TestParseScriptNamesTheMistake(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ok; hangs":                      "script rule 2: hangs is no word of a script: use ok, status=",
		"hang reset":                     "script rule 1: has more than one effect",
		"ok status=503":                  "has more than one effect",
		"next=5":                         "has no effect",
		"10s-20s":                        "has no effect",
		"status=42":                      "status 42: must be 200 to 599",
		"status=700":                     "status 700: must be 200 to 599",
		"status=abc":                     `status "abc": must be a whole number`,
		"status":                         "status",
		"status=503 status=503":          "status is there twice",
		"0s-1s 2s-3s ok":                 "window is there twice",
		"20s-10s ok":                     `window "20s-10s": must be like 10s-20s`,
		"10s-10s ok":                     "window",
		"10-20 ok":                       "window",
		"10s ok":                         "window",
		"every=0 ok":                     `every "0": must be a whole number, 1 or more`,
		"next=-1 ok":                     `next "-1"`,
		"order= ok":                      "order needs a value",
		"latency=fast":                   `latency "fast": must be a time like 50ms`,
		"latency=0s":                     "latency",
		"latency=80ms..20ms":             "latency",
		"latency=0s~1s":                  "latency",
		"latency=25h":                    "latency",
		"ok latency=-1s":                 "latency",
		"trickle=0/1s":                   "trickle",
		"trickle=1":                      "trickle",
		"trickle":                        "trickle",
		"redirect":                       "redirect needs a value",
		"redirect=/x status=200":         "status 200: must be 300 to 399",
		"hang=5s":                        `hang "5s": takes no value`,
		"ok=1":                           `ok "1": takes no value`,
		"hang status=500":                "status 500: cannot be sent: hang gives no answer",
		"ok retry-after=2":               `retry-after "2": needs a status`,
		`status=503 retry-after="a\nb"`:  "printable characters",
		`redirect="/\x00"`:               "printable characters",
		"html body=x":                    `body "x": needs a status`,
		"status=204 body=x":              "status 204: has no body",
		"headers status=304":             "status 304: has no body",
		`status=500 body="open`:          "body has an unfinished",
		`status=500 body="a"b`:           "characters right after its quotation",
		"=5":                             "is no word of a script",
		"order=a%40b order=jane@x.de ok": "twice",
		"who=jane@example.com":           "who is no word",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			rules, err := ParseScript(text)
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "script rule ")
			require.Nil(t, rules)
		})
	}
}

func TestScriptPanicsOnAnImpossibleRule(t *testing.T) {
	t.Parallel()
	for want, rule := range map[string]Rule{
		"status 42":       {Status: 42},
		"effect \"boil\"": {Effect: "boil"},
		"window":          {From: -time.Second},
		"every -1":        {Every: -1},
		"next -1":         {Next: -1},
		"latency":         {Latency: Between(2, 1)},
		"redirect":        {Effect: Redirect},
		"trickle":         {Effect: Trickle, Bytes: 1},
		"bytes and tick":  {Effect: Hang, Bytes: 1},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			cj := New()
			defer func() {
				message := fmt.Sprint(recover())
				require.True(t, strings.HasPrefix(message, "cjtest: script rule 2: "+want), message)
			}()
			cj.Script(Rule{Status: http.StatusOK}, rule)
		})
	}
}

// FuzzParseScript: no text makes the parser panic, and what it understands it writes in a form that it
// understands as the same.
func FuzzParseScript(f *testing.F) {
	f.Add("0s-10s ok; 10s-20s status=503; 20s-25s hang; next=5 status=429 retry-after=2; order=ORD-7 status=400")
	f.Add("every=3 latency=20ms..80ms trickle=1/100ms body=\"a;\\\"b\"\nlatency=1ms~1s redirect=/x status=301; 1m- html")
	f.Add("status=500 retry-after=+30s body=\xff; .5s-1s reset")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := ParseScript(text)
		if err != nil {
			require.Nil(t, rules)
			return
		}
		var words []string
		for _, rule := range rules {
			words = append(words, rule.String())
		}
		again, err := ParseScript(strings.Join(words, "; "))
		require.NoError(t, err)
		require.Equal(t, rules, again)
		New(WithScript(rules...)) // does not panic
	})
}
