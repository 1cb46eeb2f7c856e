package config

import (
	"reflect"
	"strings"
)

// key is one key of the file: a section with keys of its own, or a leaf. The tree is read off Config, so
// that a new field is known to the file, the environment and the output at once.
type key struct {
	name     string       // "timeout"
	path     string       // "cj.timeout", empty for the root
	typ      reflect.Type // of the field
	index    []int        // of the field, from Config
	children []*key       // in the order of the fields, nil for a leaf
}

// keyTag is the struct tag that holds a key's name.
const keyTag = "koanf"

var (
	root   = describe(key{typ: reflect.TypeFor[Config]()})
	leaves = root.leaves()

	listType = reflect.TypeFor[[]string]()
	mapType  = reflect.TypeFor[map[string]string]()
)

func describe(k key) *key {
	if k.typ.Kind() != reflect.Struct {
		return &k
	}
	for i := range k.typ.NumField() {
		field := k.typ.Field(i)
		name := field.Tag.Get(keyTag)
		k.children = append(k.children, describe(key{
			name:  name,
			path:  join(k.path, name),
			typ:   field.Type,
			index: append(append([]int{}, k.index...), i),
		}))
	}
	return &k
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func (k *key) isSection() bool { return k.children != nil }

func (k *key) child(name string) *key {
	for _, child := range k.children {
		if child.name == name {
			return child
		}
	}
	return nil
}

func (k *key) leaves() []*key {
	if !k.isSection() {
		return []*key{k}
	}
	var all []*key
	for _, child := range k.children {
		all = append(all, child.leaves()...)
	}
	return all
}

// value returns the field of cfg that the key stands for.
func (k *key) value(cfg Config) any { return reflect.ValueOf(cfg).FieldByIndex(k.index).Interface() }

// at returns the value of a leaf by its path. The path is one of our own, never a user's.
func (cfg Config) at(path string) any {
	k := root
	for name := range strings.SplitSeq(path, ".") {
		k = k.child(name)
	}
	return k.value(cfg)
}

// later are keys that belong to coming releases. Setting one must not be taken for having it: who asks for
// TLS and silently gets none sends orders in the clear.
var later = map[string]string{
	"kafka.tls":         "TLS to Kafka",
	"kafka.sasl":        "SASL authentication at Kafka",
	"registry.username": "authentication at the registry",
	"registry.password": "authentication at the registry",
	"registry.bearer":   "authentication at the registry",
}

func notYet(where, path string) Problem {
	return Problem{Where: where, Key: path, Rule: later[path] + " is not supported yet", Next: "remove the key until a release brings it"}
}
