package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuotedShowsNothingPrivate(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"":                                     `""`,
		"Euro":                                 `"Euro"`,
		"ORD-2024-001234":                      `"ORD-2024-001234"`,
		"7b1c9d0e-55aa-4c6f-9a77-0d1e2f3a4b5c": `"7b1c9d0e-55aa-4c6f-9a77-0d1e2f3a4b5c"`,
		"111111111111111111111":                `"111111111111111111111"`,
		"internationalization of":              `"internationalization of"`,
		strings.Repeat("a", 65):                `"` + strings.Repeat("a", 48) + `"… (65 characters)`,
		"jane@example.com":                     `(16 characters, first bad character '@' at position 5)`,
		"b7f2a9d4c1e836b0f92d4a1c5e7b8a39":     `(32 characters)`,
		"b7f2a9d4c1e836b0f92d":                 `(20 characters)`,
		"b7f2a9d4c1e836b0f92":                  `"b7f2a9d4c1e836b0f92"`,
		"?cjevent=b7f2a9d4c1e836b0f92d4a1c5e":  `(35 characters)`,
	} {
		require.Equal(t, want, Quoted(value))
	}
}
