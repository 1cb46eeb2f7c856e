package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
)

// Load reads the file at path, lays the CJRELAY_ variables of environ over it, and both over Default. An
// empty path means no file. environ is in the form of os.Environ; it also feeds ${VAR} in the file.
//
// A key without a value is not set. A list or a scalar replaces the one below it; a map adds its entries.
// Load returns an *Error with everything that cannot be read; whether the values make sense is
// Config.Validate's.
func Load(path string, environ []string) (Config, error) {
	variables := map[string]string{}
	for _, variable := range environ {
		if name, value, ok := strings.Cut(variable, "="); ok {
			variables[name] = value
		}
	}
	source := &file{name: path, expander: &expander{
		lookup: func(name string) (string, bool) { value, set := variables[name]; return value, set },
		used:   map[string]bool{},
	}}
	var settings map[string]any
	if path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return Config{}, unreadable(path, err)
		}
		settings = source.read(content)
	}
	overrides := &environment{used: source.expander.used, named: namesIn(settings)}
	layers := koanf.New(levelSeparator)
	err := errors.Join(
		layers.Load(structs.Provider(Default(), keyTag), nil),
		layers.Load(confmap.Provider(settings, ""), nil),
		layers.Load(env.Provider(levelSeparator, env.Opt{
			Prefix:        variablePrefix,
			TransformFunc: overrides.override,
			EnvironFunc:   func() []string { return environ },
		}), nil),
	)
	if problems := append(source.problems, overrides.problems...); len(problems) > 0 {
		return Config{}, failure(problems)
	}
	var cfg Config
	if err == nil {
		// Every value has its field's type by now; that no key is left over or missing only checks ourselves.
		err = layers.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{Tag: keyTag, DecoderConfig: &mapstructure.DecoderConfig{
			ErrorUnused: true,
			ErrorUnset:  true,
		}})
	}
	if err != nil {
		return Config{}, fmt.Errorf("cannot assemble the configuration: %w", err)
	}
	return cfg, nil
}

// unreadable leaves the path out of the cause, which would name it a second time.
func unreadable(path string, err error) error {
	cause := err
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		cause = pathError.Err
	}
	return failure([]Problem{{Where: path, Rule: "cannot be read: " + cause.Error(), Next: "name a readable file with --config"}})
}

// namesIn returns a look-up of the names that the file gives to the entries of a map.
func namesIn(settings map[string]any) func(k *key, name string) []string {
	return func(k *key, name string) []string {
		section, _ := settings[strings.TrimSuffix(k.path, "."+k.name)].(map[string]any)
		entries, _ := section[k.name].(map[string]any)
		var names []string
		for entry := range entries {
			if strings.EqualFold(entry, name) {
				names = append(names, entry)
			}
		}
		slices.Sort(names)
		return names
	}
}
