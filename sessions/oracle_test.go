package sessions

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// oracleSeeds are the scenarios to run: so many on kfake, fewer on a real cluster, where time is not free.
// ORACLE_SEEDS=1000-1999 in the environment runs others.
func oracleSeeds(t *testing.T, onFake, onReal uint64) (first, last uint64) {
	t.Helper()
	named := os.Getenv("ORACLE_SEEDS")
	switch {
	case named == "" && onRealKafka():
		return 1, onReal
	case named == "" && (testing.Short() || raceDetector):
		return 1, onFake / 5
	case named == "":
		return 1, onFake
	}
	from, to, _ := strings.Cut(named, "-")
	first, err := strconv.ParseUint(from, 10, 64)
	require.NoError(t, err, "ORACLE_SEEDS is two numbers with a dash between")
	last, err = strconv.ParseUint(to, 10, 64)
	require.NoError(t, err, "ORACLE_SEEDS is two numbers with a dash between")
	return first, last
}

// scenarioSteps is how long a scenario is.
const scenarioSteps = 40

func TestVerdictsEqualTheOracles(t *testing.T) {
	t.Parallel()
	first, last := oracleSeeds(t, 150, 16)
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("Seed%d", seed), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, cluster *kafkatest.Cluster) {
				w := newWorld(t, cluster, seed)
				if err := w.scenario(scenarioSteps); err != nil {
					w.fail(seed, err)
				}
			})
		})
	}
}
