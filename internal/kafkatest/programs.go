package kafkatest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Tool runs one of Kafka's own command line tools, named without "kafka-" and ".sh", against a real cluster and
// returns what it prints. A test that drives other people's programs fails on the fake, and where a program is
// missing: passing over it would say nothing.
func (c *Cluster) Tool(t testing.TB, input, name string, arguments ...string) string {
	t.Helper()
	script := filepath.Join(root(t), "deploy", "kafka", "cluster.sh")
	return c.program(t, input, script, append([]string{"tool", name, "--bootstrap-server", strings.Join(c.Brokers, ",")}, arguments...)...)
}

// Kcat runs kcat as Tool runs Kafka's own.
func (c *Cluster) Kcat(t testing.TB, input string, arguments ...string) string {
	t.Helper()
	return c.program(t, input, "kcat", append([]string{"-b", strings.Join(c.Brokers, ",")}, arguments...)...)
}

func (c *Cluster) program(t testing.TB, input, name string, arguments ...string) string {
	t.Helper()
	require.True(t, c.Real(), "set %s to the brokers of a real cluster, see deploy/kafka/cluster.sh", brokersVariable)
	return Run(t, input, name, arguments...)
}

// Run runs a program that must succeed, with that input, and returns what it prints.
func Run(t testing.TB, input, name string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, arguments...)
	command.Stdin = strings.NewReader(input)
	var output, errors bytes.Buffer
	command.Stdout, command.Stderr = &output, &errors
	require.NoError(t, command.Run(), "%v: %s", command.Args, &errors)
	return output.String()
}

// root is the repository's folder: the first one above the test's own that has a go.mod.
func root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		require.NotEqual(t, filepath.Dir(folder), folder, "no go.mod above the test's folder")
		folder = filepath.Dir(folder)
	}
}
