package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// file reads one YAML document into the nested map that koanf merges. It walks YAML's nodes and not
// values decoded from them, since only nodes have lines, and only nodes still hold an id as it was written.
type file struct {
	name     string
	expander *expander
	problems []Problem
}

func (f *file) add(line int, key, value, rule, next string) {
	f.problems = append(f.problems, Problem{Where: f.at(line), Key: key, Value: value, Rule: rule, Next: next})
}

func (f *file) at(line int) string { return fmt.Sprintf("%s:%d", f.name, line) }

// read returns the settings of the file. What is wrong is in f.problems afterwards.
func (f *file) read(content []byte) map[string]any {
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	var document, second yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		f.syntax(err)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		f.add(second.Line, "", "", "a second YAML document would be ignored", "keep one document in the file")
		return nil
	} else if !errors.Is(err, io.EOF) {
		f.syntax(err)
		return nil
	}
	top := document.Content[0]
	if !f.isPlain("", top) || isNull(top) {
		return nil
	}
	return f.section(root, top)
}

// syntax reports what is not YAML. YAML's own message about an unknown alias shows its name, which may be
// an unquoted secret that starts with an asterisk.
func (f *file) syntax(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(message, "anchor") {
		f.problems = append(f.problems, Problem{Where: f.name, Rule: "a value starts with *, which YAML takes for an alias", Next: "put the value in quotes"})
		return
	}
	where := f.name
	if number, rest, found := strings.Cut(strings.TrimPrefix(message, "line "), ": "); found && isDigits(number) {
		where, message = f.name+":"+number, rest
	}
	f.problems = append(f.problems, Problem{Where: where, Rule: "is not valid YAML: " + message, Next: "check indentation, quotes and colons there; inside {…} a ${VAR} needs quotes"})
}

func (f *file) section(k *key, node *yaml.Node) map[string]any {
	if node.Kind != yaml.MappingNode {
		f.add(node.Line, k.path, "", "must be a section with keys of its own", "write the keys indented below it, such as "+k.children[0].name)
		return nil
	}
	settings := map[string]any{}
	for _, pair := range f.pairs(k.path, node) {
		name, value := pair.name, pair.value
		path := join(k.path, name.Value)
		if _, known := later[path]; known {
			if !isNull(value) && !isEmptyMapping(value) {
				f.problems = append(f.problems, notYet(f.at(name.Line), path))
			}
			continue
		}
		child := k.child(name.Value)
		switch {
		case child == nil && nearestKey(path) == path:
			// The known key's levels are all there, in one name.
			f.add(name.Line, name.Value, "", "a name with a dot is no key", "write each level on a line of its own, indented below the one before")
		case child == nil:
			f.add(name.Line, path, "", "unknown key", "the nearest known key is "+nearestKey(path))
		case !f.isPlain(path, value):
		case isNull(value):
			// A key without a value, or a section whose keys are all commented out, is not set.
		case child.isSection():
			settings[name.Value] = f.section(child, value)
		default:
			if parsed, ok := f.leaf(child, value); ok {
				settings[name.Value] = parsed
			}
		}
	}
	return settings
}

func (f *file) leaf(k *key, node *yaml.Node) (any, bool) {
	switch {
	case k.typ == mapType:
		return f.mapping(k, node)
	case k.typ == listType && node.Kind == yaml.SequenceNode:
		return f.list(k, node)
	}
	text, ok := f.text(k.path, node)
	if !ok {
		return nil, false
	}
	value, expected := parse(k, text)
	if expected != "" {
		f.add(node.Line, k.path, shown(text), expected, "correct the value")
		return nil, false
	}
	return value, true
}

func (f *file) mapping(k *key, node *yaml.Node) (map[string]any, bool) {
	if node.Kind != yaml.MappingNode {
		f.add(node.Line, k.path, "", "must be a map of names to values", "write it like {name: value}")
		return nil, false
	}
	entries := map[string]any{}
	for _, pair := range f.pairs(k.path, node) {
		if text, ok := f.entry(join(k.path, pair.name.Value), pair.value); ok {
			entries[pair.name.Value] = text
		}
	}
	return entries, true
}

func (f *file) list(k *key, node *yaml.Node) ([]string, bool) {
	entries := make([]string, 0, len(node.Content))
	for i, entry := range node.Content {
		if text, ok := f.entry(fmt.Sprintf("%s[%d]", k.path, i), entry); ok {
			entries = append(entries, text)
		}
	}
	return entries, true
}

func (f *file) entry(path string, node *yaml.Node) (string, bool) {
	if !f.isPlain(path, node) {
		return "", false
	}
	return f.text(path, node)
}

// text returns a scalar as it was written, its variables replaced. 007, yes and 1e3 stay 007, yes and 1e3.
func (f *file) text(path string, node *yaml.Node) (string, bool) {
	if node.Kind != yaml.ScalarNode || isNull(node) {
		f.add(node.Line, path, "", "must be a single value, not "+kindOf(node), "write one value")
		return "", false
	}
	text, broken := f.expander.expand(node.Value)
	for _, rule := range broken {
		f.add(node.Line, path, "", rule, "export the variable, give a default as in ${VAR:default}, or write $${ for a plain ${")
	}
	return text, len(broken) == 0
}
