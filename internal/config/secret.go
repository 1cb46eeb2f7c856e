package config

import (
	"fmt"
	"io"

	"github.com/cjrelay/cjrelay/schema"
)

// Secret is a text that must not be seen. However it is printed, logged or encoded, only its length comes
// out. To use it, call Reveal.
type Secret string

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return string(s) }

// String returns "(16 characters)", or nothing for an empty secret.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return schema.Hidden(string(s), nil)
}

// Format covers every verb of package fmt. String alone would not: %d or %#v print the text itself.
func (s Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, s.String()) }

// MarshalText covers JSON, YAML and log/slog.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
