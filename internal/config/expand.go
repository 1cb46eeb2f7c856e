package config

import (
	"regexp"
	"strings"
)

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expander replaces ${VAR} and ${VAR:default}. It works on texts that are already parsed: whatever a
// variable holds stays one text and cannot add keys.
type expander struct {
	lookup func(name string) (string, bool)
	used   map[string]bool // every variable that the file names
}

// expand returns the text with its variables replaced and the rules that it breaks, which show no more of
// the text than the names of variables: the rest may be a secret. A variable that is set but empty counts
// as set. $${ stands for ${.
func (e *expander) expand(text string) (string, []string) {
	var out strings.Builder
	var broken []string
	for {
		start := strings.Index(text, "${")
		if start < 0 {
			out.WriteString(text)
			return out.String(), broken
		}
		if start > 0 && text[start-1] == '$' {
			out.WriteString(text[:start-1] + "${")
			text = text[start+2:]
			continue
		}
		out.WriteString(text[:start])
		body, rest, closed := strings.Cut(text[start+2:], "}")
		if !closed {
			return "", append(broken, "has a ${ without a }")
		}
		text = rest
		value, problem := e.value(body)
		if problem != "" {
			broken = append(broken, problem)
		}
		out.WriteString(value)
	}
}

func (e *expander) value(body string) (string, string) {
	name, fallback, hasFallback := strings.Cut(body, ":")
	if !variableName.MatchString(name) {
		return "", "has a ${} without the name of a variable"
	}
	if strings.Contains(fallback, "${") {
		return "", "the default of ${" + name + "} cannot hold another variable"
	}
	e.used[name] = true
	value, set := e.lookup(name)
	switch {
	case set:
		return value, ""
	case hasFallback:
		return fallback, ""
	default:
		return "", "${" + name + "} is not set"
	}
}
