package config

import "strings"

// Error is everything that is wrong with a configuration. A program that gets one ends with exit code 2.
type Error struct {
	// Problems holds at least one, in the order of the file or, from Validate, of the keys in Config.
	Problems []Problem
}

// Error prints one problem a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, problem := range e.Problems {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Problem is one thing that is wrong. Every field may be shown: secrets are described by their length.
type Problem struct {
	// Where is file:line or the environment variable that the value came from; empty after Validate.
	Where string
	// Key is the full key, such as cj.timeout; empty where the file as a whole is at fault.
	Key string
	// Value is the offending value; empty where there is none to show.
	Value string
	// Rule is the broken rule.
	Rule string
	// Next is what to do about it.
	Next string
}

// String joins what is known: "cjrelay.yaml:7: cj.timeout: 30s: must be below …: lower it …".
func (p Problem) String() string {
	var parts []string
	for _, part := range []string{p.Where, p.Key, p.Value, p.Rule, p.Next} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ": ")
}

// failure returns nil for no problems; a nil *Error in an error would not be nil.
func failure(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &Error{Problems: problems}
}
