package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asProgram makes the test binary behave as the program, so that tests can send it signals.
const asProgram = "TEST_RUN_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program is the command as a process of its own.
func program(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), asProgram+"=1")
	return command
}

// result is what one call of the command line left behind.
type result struct {
	code     int
	out, err string
}

// call runs the command line in this process.
func call(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	code := execute(context.WithoutCancel(t.Context()), args, &stdio{In: strings.NewReader(stdin), Out: &out, Err: &err})
	return result{code: code, out: out.String(), err: err.String()}
}

func TestMistakesOnTheCommandLineExitWithTwo(t *testing.T) {
	for name, args := range map[string][]string{
		"UnknownVerb":        {"replya"},
		"UnknownFlag":        {"run", "--confg", "x"},
		"NoVerb":             {},
		"BadOutputForm":      {"topics", "-o", "xml"},
		"NoConfigurationYet": {"run", "--config", "no-such-file.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			got := call(t, "", args...)
			require.Equal(t, exitUsage, got.code, got.err)
			require.Empty(t, got.out)
			require.NotEmpty(t, got.err)
		})
	}
}

func TestHelpAndVersionExitWithZero(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"run", "--help"}, {"version"}} {
		got := call(t, "", args...)
		require.Equal(t, exitDone, got.code, got.err)
		require.NotEmpty(t, got.out)
		require.Empty(t, got.err)
	}
}

// Help is of the verb that was mistaken, where there is one.
func TestMistakesNameTheHelpToRead(t *testing.T) {
	t.Parallel()
	for args, help := range map[string]string{
		"demo extra":         "cjrelay demo --help",
		"dlq list --nothing": "cjrelay dlq list --help",
		"dlq":                "cjrelay dlq --help",
		"explain":            "cjrelay explain --help",
		"dmeo":               "cjrelay --help",
		"":                   "cjrelay --help",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			got := call(t, "", strings.Fields(args)...)
			require.Equal(t, exitUsage, got.code)
			require.Contains(t, got.err, "\nTry: "+help+"\n")
		})
	}
}
