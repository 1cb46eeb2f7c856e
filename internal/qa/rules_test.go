package qa

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVerticalParametersAreWellFormed(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for line := range strings.Lines(verticalText) {
		column := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		require.Len(t, column, 5, line)
		require.Contains(t, []string{"all", "travel", "finance"}, column[2], line)
		require.Contains(t, []string{"text", "number", "whole number", "date", "time", "one of"}, column[3], line)
		for _, name := range column[:2] {
			require.False(t, name != "" && names[strings.ToLower(name)], "%s is listed twice", name)
			names[strings.ToLower(name)] = true
		}
	}
}

func TestEveryParameterHasARule(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		value string
		text  string
		known Evidence
	}{
		"cid":             {"1", "enterprise id", Documented},
		"ITEM12":          {"A", "SKU", InCode},
		"DCNT100":         {"1", "whole line", Inferred},
		"COUPON":          {"ONE", "coupon code,", Inferred},
		"coupon":          {"ONE,TWO", "separates several", Unknown},
		"customerCountry": {"US", "alpha-2", InCode},
		"apr":             {"1", "of finance: number", Documented},
		"room_type":       {"x", "roomType in CJ's API and room_type in its pixel", Unknown},
		"TRAVELTYPE":      {"HOTEL", "one of ACTIVITIES", Unknown},
		"itemNote":        {"x", "custom", InCode},
	} {
		rule := ruleOf(name, test.value)
		require.Contains(t, rule.Text, test.text, name)
		require.Equal(t, test.known, rule.Evidence, name)
	}
}
