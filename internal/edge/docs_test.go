package edge

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/config"
)

// blocks are the fenced blocks of docs/edge.md in a language.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	page, err := os.ReadFile("../../docs/edge.md")
	require.NoError(t, err)
	var found []string
	for _, rest := range strings.Split(string(page), "\n```"+language+"\n")[1:] {
		block, _, closed := strings.Cut(rest, "\n```\n")
		require.True(t, closed)
		found = append(found, block+"\n")
	}
	return found
}

func TestSnippetsOfTheDocumentation(t *testing.T) {
	t.Parallel()

	t.Run("ConfigurationsAreValid", func(t *testing.T) {
		t.Parallel()
		yamls := blocks(t, "yaml")
		require.Len(t, yamls, 3)
		for _, block := range yamls {
			if strings.HasPrefix(block, "static_resources:") {
				continue // Envoy's own, which runs in internal/browser
			}
			path := filepath.Join(t.TempDir(), "cjrelay.yaml")
			require.NoError(t, os.WriteFile(path, []byte(block), 0o600))
			cfg, err := config.Load(path, []string{"CAPTURE_SECRET=0123456789abcdef"})
			require.NoError(t, err)
			require.NoError(t, cfg.Validate(config.ForCapture))
		}
	})

	t.Run("TheMiddlewareCompiles", func(t *testing.T) {
		t.Parallel()
		programs := blocks(t, "go")
		require.Len(t, programs, 1)
		folder := t.TempDir()
		source, overlay := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json")
		require.NoError(t, os.WriteFile(source, []byte(programs[0]), 0o600))
		// The compiler sees the block as a package of this module.
		here, err := filepath.Abs("snippet")
		require.NoError(t, err)
		text, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(here, "main.go"): source}})
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(overlay, text, 0o600))
		output, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", filepath.Join(folder, "shop"), "./snippet").CombinedOutput()
		require.NoError(t, err, string(output))
	})

	t.Run("MetricsAreThere", func(t *testing.T) {
		t.Parallel()
		page, err := os.ReadFile("../../docs/edge.md")
		require.NoError(t, err)
		shop := open(t, http.NotFoundHandler())
		proxies := open(t, nil, func(c *config.Config) { c.Capture.TrustedProxies = []string{"127.0.0.1"} })
		_, there := shop.admin(t, http.MethodGet, "/metrics", "", "")
		_, more := proxies.admin(t, http.MethodGet, "/metrics", "", "")
		_, table, _ := strings.Cut(string(page), "\n## Metrics\n")
		table, _, _ = strings.Cut(table, "\n## ")
		names := regexp.MustCompile("`(cjrelay_capture)?(_[a-z_]+)").FindAllStringSubmatch(table, -1)
		require.Greater(t, len(names), 15)
		for _, name := range names {
			require.True(t, strings.Contains(there+more, "# TYPE cjrelay_capture"+name[2]+" "), name[2])
		}
	})
}
