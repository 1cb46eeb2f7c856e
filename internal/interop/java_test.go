//go:build kafka

package interop_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// avroJava is the program in the folder java, which writes and reads with Apache Avro's own library.
type avroJava struct{ classpath string }

// buildJava builds the program once. Maven needs a repository only the first time on a machine.
var buildJava = sync.OnceValues(func() (avroJava, error) {
	command := exec.Command("mvn", "--quiet", "--batch-mode", "--no-transfer-progress", "--strict-checksums",
		"--file", "java/pom.xml", "-Dout.dir="+javaFolder, "compile")
	if output, err := command.CombinedOutput(); err != nil {
		return avroJava{}, fmt.Errorf("%v: %w: %s", command.Args, err, output)
	}
	libraries, err := os.ReadFile(filepath.Join(javaFolder, "classpath"))
	return avroJava{filepath.Join(javaFolder, "classes") + string(filepath.ListSeparator) + strings.TrimSpace(string(libraries))}, err
})

func java(t *testing.T) avroJava {
	t.Helper()
	built, err := buildJava()
	require.NoError(t, err)
	return built
}

// encode returns the schema as Java registers it, and the values of the JSON lines in Confluent's wire format
// under schemaID. With a block, lists are written in blocks of at most so many bytes.
func (j avroJava) encode(t *testing.T, schemaFile string, lines []string, block int) (registered string, values [][]byte) {
	t.Helper()
	arguments := []string{"encode", schemaFile, strconv.Itoa(schemaID)}
	if block > 0 {
		arguments = append(arguments, strconv.Itoa(block))
	}
	printed := j.run(t, lines, arguments...)
	for _, line := range printed[1:] {
		value, err := base64.StdEncoding.DecodeString(line)
		require.NoError(t, err)
		values = append(values, value)
	}
	require.Len(t, values, len(lines))
	return printed[0], values
}

// decode returns what Java reads in values, as JSON.
func (j avroJava) decode(t *testing.T, schemaFile string, values [][]byte) []string {
	t.Helper()
	lines := make([]string, len(values))
	for i, value := range values {
		lines[i] = base64.StdEncoding.EncodeToString(value)
	}
	printed := j.run(t, lines, "decode", schemaFile)
	require.Len(t, printed, len(values))
	return printed
}

func (j avroJava) run(t *testing.T, lines []string, arguments ...string) []string {
	t.Helper()
	arguments = append([]string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", j.classpath,
		"com.github.cjrelay.interop.Main"}, arguments...)
	printed := kafkatest.Run(t, strings.Join(lines, "\n")+"\n", "java", arguments...)
	return strings.Split(strings.TrimSuffix(printed, "\n"), "\n")
}
