package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestSecret(t *testing.T) {
	t.Parallel()
	holder := struct {
		Token Secret
		Inner *Config
	}{Token: "hunter2hunter2"}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%t"} {
		fmt.Fprintf(&out, verb+verb+"\n", holder, holder.Token)
	}
	logger := slog.New(slog.NewJSONHandler(&out, nil))
	logger.Info("text", "token", holder.Token, "holder", holder)
	slog.New(slog.NewTextHandler(&out, nil)).Info("text", "token", holder.Token, "holder", holder)
	encoded, err := json.Marshal(holder)
	require.NoError(t, err)
	out.Write(encoded)
	require.NotContains(t, out.String(), "hunter2")
	require.NotContains(t, out.String(), fmt.Sprintf("%x", "hunter2"))
	require.Contains(t, out.String(), "(14 characters)")
	require.Equal(t, "hunter2hunter2", holder.Token.Reveal())
	require.Empty(t, Secret("").String())
}

func TestYAML(t *testing.T) {
	t.Parallel()

	t.Run("HidesSecretsEvenInAConfigurationThatIsNotValid", func(t *testing.T) {
		t.Parallel()
		cfg := working()
		cfg.CJ.Signature = "hunter2hunter2xx"
		cfg.Admin.Token = "hunter2"
		cfg.CJ.Endpoint = "https://www.emjcd.com/u?SIGNATURE=hunter2"
		cfg.Registry.URL = "https://user:hunter2@registry:8081"
		cfg.Capture.Upstream = "user:hunter2@shop"
		text, err := cfg.YAML()
		require.NoError(t, err)
		require.NotContains(t, string(text), "hunter2")
		var shown map[string]map[string]any
		require.NoError(t, yaml.Unmarshal(text, &shown))
		require.Equal(t, "(16 characters)", shown["cj"]["signature"])
		require.Equal(t, "(7 characters)", shown["admin"]["token"])
		require.Equal(t, "https://www.emjcd.com/u…", shown["cj"]["endpoint"])
		require.Equal(t, "https://…@registry:8081", shown["registry"]["url"])
		require.Equal(t, "…@shop", shown["capture"]["upstream"])
	})

	t.Run("IsAFileThatLoadsAsTheSameConfiguration", func(t *testing.T) {
		t.Parallel()
		cfg := working()
		cfg.CJ.EnterpriseID = "007"
		cfg.CJ.AttributeNames = map[string]string{"businessUnit": "bus_unit", "y": "1e3"}
		cfg.Kafka.Brokers = []string{"a:1", "[::1]:2"}
		text, err := cfg.YAML()
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "cjrelay.yaml")
		require.NoError(t, os.WriteFile(path, text, 0o600))
		again, err := Load(path, nil)
		require.NoError(t, err)
		require.Equal(t, cfg, again)
	})

	t.Run("WritesValuesAsPeopleDo", func(t *testing.T) {
		t.Parallel()
		text, err := working().YAML()
		require.NoError(t, err)
		for _, line := range []string{"    session_timeout: 45s\n", "    window: 395d\n", "    window: 60s\n", "    max_query: 32KiB\n", "    enterprise_id: \"1234567\"\n", "    failure_rate: 0.5\n", "    attribute_names: {}\n"} {
			require.Contains(t, string(text), line)
		}
		require.True(t, bytes.HasPrefix(text, []byte("kafka:\n    brokers:\n")), "the order is that of Config")
	})
}
