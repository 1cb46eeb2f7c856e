//go:build kafka

package interop_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// javaFolder is where the Java program is built, once for all tests.
var javaFolder string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "interop")
	if err != nil {
		panic(err)
	}
	javaFolder = folder
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder)
		os.Exit(code)
	}))
}
