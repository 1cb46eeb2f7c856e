package capture

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

func TestClickInQuery(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("a=b&", maxParameters)
	long := strings.Repeat("x", maxQueryBytes)
	tests := map[string]struct {
		query   string
		id      string
		landed  bool
		refused refusal
	}{
		"None":                {"", "", false, ""},
		"Alone":               {"cjevent=" + clickA, clickA, true, ""},
		"AmongOthers":         {"utm=x&cjevent=" + clickA + "&a=%zz", clickA, true, ""},
		"AnyCase":             {"CjEvEnT=" + clickA, clickA, true, ""},
		"EncodedName":         {"c%6Aevent=" + clickA, clickA, true, ""},
		"ValueKeepsItsCase":   {"CJEVENT=" + clickB, clickB, true, ""},
		"EncodedOnce":         {"cjevent=%41B", "AB", true, ""},
		"NotTwice":            {"cjevent=%2541B", "", true, refusedClickID},
		"FirstWins":           {"cjevent=" + clickA + "&CJEVENT=" + clickB, clickA, true, ""},
		"FirstWinsIfIllegal":  {"cjevent=a-b&CJEVENT=" + clickB, "", true, refusedClickID},
		"EmptyIsAbsent":       {"cjevent=&x=1", "", false, ""},
		"BehindAnEmptyOne":    {"cjevent=&a=b&cjevent=" + clickA, clickA, true, ""},
		"WithoutAnEquals":     {"cjevent&x=1", "", false, ""},
		"LongerName":          {"cjeventx=1&xcjevent=2&cjevent_sc=3", "", false, ""},
		"SixtyFour":           {"cjevent=" + strings.Repeat("a", 64), strings.Repeat("a", 64), true, ""},
		"SixtyFive":           {"cjevent=" + strings.Repeat("a", 65), "", true, refusedClickID},
		"LineFeed":            {"cjevent=abc%0d%0aSet-Cookie:+x=1", "", true, refusedClickID},
		"Semicolon":           {"cjevent=abc;+Domain=evil.com", "", true, refusedClickID},
		"Null":                {"cjevent=abc%00", "", true, refusedClickID},
		"BrokenEscape":        {"cjevent=abc%4", "", true, refusedClickID},
		"LastOfMany":          {many[:len(many)-4] + "cjevent=" + clickA, clickA, true, ""},
		"BehindTooMany":       {many + "cjevent=" + clickA, "", false, refusedQuery},
		"ManyWithoutAClick":   {many + many, "", false, refusedQuery},
		"BehindTooMuch":       {"a=" + long + "&cjevent=" + clickA, "", false, refusedQuery},
		"BeforeMuch":          {"cjevent=" + clickA + "&a=" + long, clickA, true, ""},
		"CutInTheMiddle":      {"a=" + long[:maxQueryBytes-20] + "&cjevent=" + clickA, "", false, refusedQuery},
		"EndsAtTheBound":      {"a=" + long[:maxQueryBytes-3-len("cjevent="+clickA)] + "&cjevent=" + clickA, clickA, true, ""},
		"AndMoreBehindIt":     {"a=" + long[:maxQueryBytes-3-len("cjevent="+clickA)] + "&cjevent=" + clickA + "&b=c", clickA, true, ""},
		"OneOverTheBound":     {"a=" + long[:maxQueryBytes-2-len("cjevent="+clickA)] + "&cjevent=" + clickA, "", false, refusedQuery},
		"MuchWithoutAnything": {long + long, "", false, refusedQuery},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, landed, refused := clickInQuery(test.query)
			require.Equal(t, test.id, id)
			require.Equal(t, test.landed, landed)
			require.Equal(t, test.refused, refused)
		})
	}
}

// The oracle is net/url, which is slower and takes everything apart.
func FuzzClickInQuery(f *testing.F) {
	for _, query := range []string{"cjevent=" + clickA, "a&b=&CJEVENT=x%41&cjevent=2", "c%6Aevent=1;2", "%63jevent=%zz", "=&&==cjevent=", "cjevent=&cjevent=x"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		id, landed, refused := clickInQuery(query)
		require.False(t, id != "" && (!landed || refused != "" || schema.ValidClickID(id) != nil))
		if len(query) > maxQueryBytes || strings.Count(query, "&") >= maxParameters {
			return
		}
		want := ""
		for parameter := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(parameter, "=")
			decoded, err := url.PathUnescape(name)
			if err != nil || value == "" || len(decoded) != len(parameterName) || !strings.EqualFold(decoded, parameterName) {
				continue
			}
			if value, err = url.PathUnescape(value); err == nil && schema.ValidClickID(value) == nil {
				want = value
			}
			break
		}
		require.Equal(t, want, id)
	})
}
