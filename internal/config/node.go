package config

import (
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// pair is one key of a mapping with its value.
type pair struct{ name, value *yaml.Node }

// pairs returns the keys and values of a mapping and reports keys that are not plain text or come twice:
// with two values for a key, the one that counts would be a matter of luck.
func (f *file) pairs(path string, node *yaml.Node) []pair {
	var pairs []pair
	lines := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name, value := node.Content[i], node.Content[i+1]
		if !f.isPlain(path, name) {
			continue
		}
		if name.Kind != yaml.ScalarNode || name.Value == "" || strings.ContainsFunc(name.Value, unicode.IsControl) {
			f.add(name.Line, path, "", "has a key that is not a name", "write keys as plain words")
			continue
		}
		if first, taken := lines[name.Value]; taken {
			f.add(name.Line, join(path, name.Value), "", "is already set in line "+strconv.Itoa(first), "keep one of them")
			continue
		}
		lines[name.Value] = name.Line
		pairs = append(pairs, pair{name, value})
	}
	return pairs
}

// isPlain refuses anchors, aliases and tags. Hardly a configuration needs them, and a secret that starts
// with &, * or ! and was not quoted would otherwise silently become one and be lost.
func (f *file) isPlain(path string, node *yaml.Node) bool {
	if node.Kind != yaml.AliasNode && node.Anchor == "" && node.Style&yaml.TaggedStyle == 0 {
		return true
	}
	f.add(node.Line, path, "", "starts with &, * or !, which YAML takes for an anchor, alias or tag", "put the value in quotes")
	return false
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.ShortTag() == "!!null" }

func isEmptyMapping(node *yaml.Node) bool {
	return node.Kind == yaml.MappingNode && len(node.Content) == 0
}

func kindOf(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "a section"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	default:
		return "nothing"
	}
}
