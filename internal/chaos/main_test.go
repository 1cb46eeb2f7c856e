//go:build kafka

package chaos

import (
	"context"
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// program is the binary under test.
var program string

// TestMain builds the binary once. The tests run at once, since they wait more than they work: mostly for the group
// to find out that a process has died.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	if os.Getenv("KAFKA_TEST_BROKERS") == "" {
		fmt.Fprintln(os.Stderr, "set KAFKA_TEST_BROKERS to the brokers of a real cluster, see deploy/kafka/cluster.sh")
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "cjrelay-chaos")
	if err != nil {
		panic(err)
	}
	if program, err = Build(context.Background(), dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(dir)
		os.Exit(code)
	}))
}
