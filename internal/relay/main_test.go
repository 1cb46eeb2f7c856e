package relay_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// TestMain runs many tests at once, since they wait more than they work, and fails when a relay leaves
// anything running behind it.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
