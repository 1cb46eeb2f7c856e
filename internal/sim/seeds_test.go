//go:build synctests

package sim

import (
	"flag"
	"strconv"
	"testing"
)

var (
	seeds = flag.Uint64("seeds", 40, "how many seeds TestSeeds runs")
	first = flag.Uint64("first", 1, "the first of them")
	only  = flag.Uint64("seed", 0, "the only one to run, where it is not 0")
)

// Every seed is a scenario of its own.
func TestSeeds(t *testing.T) {
	t.Parallel()
	from, until := *first, *first+*seeds
	if *only != 0 {
		from, until = *only, *only+1
	}
	for seed := from; seed < until; seed++ {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			Run(t, Expand(seed))
		})
	}
}
