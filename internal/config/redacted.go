package config

import (
	"fmt"
	"time"

	"go.yaml.in/yaml/v3"
)

// YAML returns every key with its value, as a file, in a form that may be shown to anybody who may see the console:
// a secret as its length, "(16 characters)", and an address without user, password and query. The keys are in the
// order of Config. It is safe on a configuration that was never validated. Where no secret is set, Load reads it
// back as the same configuration.
func (cfg Config) YAML() ([]byte, error) {
	node, err := yamlSection(root, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot write the configuration as YAML: %w", err)
	}
	return yaml.Marshal(node)
}

// addresses are the keys whose values could carry a password although Validate refuses it.
var addresses = map[string]bool{"registry.url": true, "cj.endpoint": true, "capture.upstream": true}

func redactedLeaf(k *key, cfg Config) any {
	value := k.value(cfg)
	switch value := value.(type) {
	case time.Duration, Size, Secret:
		return plain(value)
	case string:
		if addresses[k.path] {
			return publicURL(value)
		}
	case map[string]string:
		if value == nil {
			return map[string]string{}
		}
	}
	return value
}

// plain writes a value as the file takes it.
func plain(value any) string {
	if duration, ok := value.(time.Duration); ok {
		return durationText(duration)
	}
	return fmt.Sprint(value)
}

func yamlSection(k *key, cfg Config) (*yaml.Node, error) {
	section := &yaml.Node{Kind: yaml.MappingNode}
	for _, child := range k.children {
		var value *yaml.Node
		var err error
		if child.isSection() {
			value, err = yamlSection(child, cfg)
		} else {
			value = &yaml.Node{}
			err = value.Encode(redactedLeaf(child, cfg))
		}
		if err != nil {
			return nil, err
		}
		section.Content = append(section.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: child.name}, value)
	}
	return section, nil
}
