package relay_test

import (
	"flag"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs many tests at once, since they wait more than they work, and fails when a relay leaves
// anything running behind it.
func TestMain(m *testing.M) {
	if os.Getenv(isChild) != "" {
		os.Exit(runChild())
	}
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
