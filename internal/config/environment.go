package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// variablePrefix starts the name of every override; levelSeparator stands where the key has a dot. One
// underscore would not do: keys have underscores of their own.
const (
	variablePrefix = "CJRELAY_"
	levelSeparator = "__"
)

// environment turns CJRELAY_ variables into settings.
type environment struct {
	used     map[string]bool                    // variables that the file names as ${VAR}
	named    func(k *key, name string) []string // names that the file has in a map, equal but for case
	problems []Problem
}

// override returns the setting of one variable: its path, the levels joined by levelSeparator, and its
// value. The path is empty for a variable that sets nothing.
func (e *environment) override(variable, text string) (string, any) {
	for _, k := range leaves {
		switch {
		case k.typ == mapType && strings.HasPrefix(variable, variableOf(k)+levelSeparator):
			return e.entry(k, variable, text)
		case variable != variableOf(k):
			continue
		case k.typ == mapType:
			e.add(variable, k.path, "", "sets one entry of the map at a time", "use "+variable+levelSeparator+"NAME=value")
			return "", nil
		}
		value, expected := parse(k, text)
		if expected != "" {
			e.add(variable, k.path, shown(text), expected, "correct the value")
			return "", nil
		}
		return levels(k.path), value
	}
	e.unknown(variable, text)
	return "", nil
}

// entry sets one entry of a map. The name of a variable is upper case by custom, so SALE means the entry of
// the file that differs only in case, or else sale; a name in mixed case means exactly itself.
func (e *environment) entry(k *key, variable, text string) (string, any) {
	name := strings.TrimPrefix(variable, variableOf(k)+levelSeparator)
	if name == "" || strings.Contains(name, levelSeparator) {
		e.add(variable, k.path, "", "needs one name after "+variableOf(k)+levelSeparator, "use "+variableOf(k)+levelSeparator+"NAME=value")
		return "", nil
	}
	if name == strings.ToUpper(name) {
		switch candidates := e.named(k, name); {
		case len(candidates) > 1:
			e.add(variable, k.path, "", "could mean "+strings.Join(candidates, " or "), "write the name in the variable exactly as in the file")
			return "", nil
		case len(candidates) == 1:
			name = candidates[0]
		default:
			name = strings.ToLower(name)
		}
	}
	return levels(k.path) + levelSeparator + name, text
}

func (e *environment) unknown(variable, text string) {
	if e.used[variable] || isServiceLink(variable, text) {
		return
	}
	for _, path := range slices.Sorted(maps.Keys(later)) {
		own := variableFor(path)
		if variable == own || strings.HasPrefix(variable, own+levelSeparator) {
			e.problems = append(e.problems, notYet(variable, path))
			return
		}
	}
	e.add(variable, "", "", "unknown variable", fmt.Sprintf("the nearest known one is %s; two underscores separate levels", nearestVariable(variable)))
}

func (e *environment) add(variable, key, value, rule, next string) {
	e.problems = append(e.problems, Problem{Where: variable, Key: key, Value: value, Rule: rule, Next: next})
}

var (
	serviceName = regexp.MustCompile(`_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$`)
	servicePort = regexp.MustCompile(`_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)
)

// isServiceLink recognises what Kubernetes puts into every container of a namespace that has a Service
// named cjrelay or cjrelay-something: CJRELAY_SERVICE_HOST, CJRELAY_PORT=tcp://10.0.0.1:9644 and their like
// (kubernetes.io/docs/concepts/containers/container-environment). Refusing them would keep the process from
// starting as soon as it has a Service; CJRELAY_ADMIN_PORT=9645 is still the slip that it looks like.
func isServiceLink(variable, text string) bool {
	if strings.Contains(variable, levelSeparator) {
		return false
	}
	if serviceName.MatchString(variable) {
		return true
	}
	match := servicePort.FindStringSubmatch(variable)
	if match == nil {
		return false
	}
	isSubkey := match[3] != ""
	return isSubkey || strings.HasPrefix(text, "tcp://") || strings.HasPrefix(text, "udp://") || strings.HasPrefix(text, "sctp://")
}

func variableOf(k *key) string { return variableFor(k.path) }

func variableFor(path string) string { return variablePrefix + strings.ToUpper(levels(path)) }

func levels(path string) string { return strings.ReplaceAll(path, ".", levelSeparator) }
