package config

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const exampleFile = "../../deploy/cjrelay.yaml"

var (
	defaultSentence = regexp.MustCompile(`Default: (.*?)\.(\s|$)`)
	rangeSentence   = regexp.MustCompile(`Range (\S+) to (\d[\w.]*?\w*)[.,](\s|$)`)
)

// placeholders are the keys that the example shows with a value although they have no default.
var placeholders = map[string]string{
	"registry.url":     "http://127.0.0.1:8081",
	"cj.enterprise_id": "1234567",
	"cj.actions":       "map[sale:398210]",
}

func TestExampleFile(t *testing.T) {
	t.Parallel()
	_, err := Load(exampleFile, nil)
	require.ErrorContains(t, err, "CJ_ENTERPRISE_ID", "copied without an account it must not report to somebody else's")
	cfg, err := Load(exampleFile, []string{"CJ_ENTERPRISE_ID=1234567", "CJ_SALE_TRACKER_ID=398210"})
	require.NoError(t, err)
	comments := exampleComments(t)

	t.Run("WorksWithAnAccount", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, cfg.Validate(ForRun))
	})

	t.Run("ShowsEveryKeyWithItsDefaultAndRange", func(t *testing.T) {
		t.Parallel()
		documented := fieldComments(t)
		for _, k := range leaves {
			comment, shows := comments[k.path]
			require.True(t, shows, "%s is missing in %s", k.path, exampleFile)
			require.Equal(t, documentedDefault(t, documented[k.path]), documentedDefault(t, comment), k.path)
			if rangeSentence.MatchString(documented[k.path]) {
				low, high := documentedRange(t, documented[k.path])
				require.Contains(t, comment, "Range "+low+" to "+high+".", k.path)
			}
			want, isPlaceholder := placeholders[k.path]
			if !isPlaceholder {
				want = plain(k.value(Default()))
			}
			require.Equal(t, want, plain(k.value(cfg)), k.path)
		}
	})

	t.Run("MentionsTheKeysOfLaterReleasesWhichItHolds", func(t *testing.T) {
		t.Parallel()
		for _, path := range []string{"kafka.tls", "kafka.sasl"} {
			require.Contains(t, comments, path)
		}
	})
}

func TestFieldComments(t *testing.T) {
	t.Parallel()
	comments := fieldComments(t)
	for _, k := range leaves {
		want := plain(k.value(Default()))
		if value := reflect.ValueOf(k.value(Default())); value.IsZero() && value.Kind() != reflect.Bool {
			want = "none"
		}
		require.Equal(t, want, documentedDefault(t, comments[k.path]), "the comment of %s does not tell its default", k.path)
	}
}

func documentedDefault(t *testing.T, comment string) string {
	t.Helper()
	match := defaultSentence.FindStringSubmatch(comment)
	require.NotNil(t, match, "no sentence Default: in %q", comment)
	return match[1]
}

func documentedRange(t *testing.T, comment string) (string, string) {
	t.Helper()
	match := rangeSentence.FindStringSubmatch(comment)
	require.NotNil(t, match, "no sentence Range in %q", comment)
	return match[1], match[2]
}

// exampleComments returns the comment above every key of the example file, by path.
func exampleComments(t *testing.T) map[string]string {
	t.Helper()
	content, err := os.ReadFile(exampleFile)
	require.NoError(t, err)
	var document yaml.Node
	require.NoError(t, yaml.Unmarshal(content, &document))
	comments := map[string]string{}
	gatherComments(comments, "", document.Content[0])
	return comments
}

func gatherComments(comments map[string]string, path string, section *yaml.Node) {
	for i := 0; i < len(section.Content); i += 2 {
		name, value := section.Content[i], section.Content[i+1]
		comments[join(path, name.Value)] = strings.ReplaceAll(name.HeadComment, "\n# ", " ")
		if value.Kind == yaml.MappingNode {
			gatherComments(comments, join(path, name.Value), value)
		}
	}
}

// fieldComments returns the comment of every field of the sections, by the path of its key.
func fieldComments(t *testing.T) map[string]string {
	t.Helper()
	sources, err := filepath.Glob("*.go")
	require.NoError(t, err)
	byField := map[string]string{}
	for _, source := range sources {
		parsed, err := parser.ParseFile(token.NewFileSet(), source, nil, parser.ParseComments)
		require.NoError(t, err)
		ast.Inspect(parsed, func(node ast.Node) bool {
			declared, ok := node.(*ast.TypeSpec)
			if !ok {
				return true
			}
			if structure, ok := declared.Type.(*ast.StructType); ok {
				for _, field := range structure.Fields.List {
					for _, name := range field.Names {
						byField[declared.Name.Name+"."+name.Name] = strings.ReplaceAll(field.Doc.Text(), "\n", " ")
					}
				}
			}
			return true
		})
	}
	comments := map[string]string{}
	for _, section := range root.descendants() {
		for _, k := range section.children {
			comments[k.path] = byField[section.typ.Name()+"."+section.typ.Field(k.index[len(k.index)-1]).Name]
		}
	}
	return comments
}
