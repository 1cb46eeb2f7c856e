package relay_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestConnectionsToCJAreCountedByTheirReuse(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	r := s.start(t)
	require.Zero(t, r.metric(t, "cjrelay_cj_connections_total", "reused", "false"))
	require.Zero(t, r.metric(t, "cjrelay_cj_connections_total", "reused", "true"))
	// One after the other, so that each finds the connection of the one before.
	for i := range 5 {
		s.confirm(t, s.many(1, fmt.Sprint("NEW-", i))...)
		s.awaitOutcomes(t, i+1)
	}
	require.InDelta(t, 1, r.metric(t, "cjrelay_cj_connections_total", "reused", "false"), 0)
	require.InDelta(t, 4, r.metric(t, "cjrelay_cj_connections_total", "reused", "true"), 0)
	r.halt(t)
}
