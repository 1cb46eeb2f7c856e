package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain also plays the benchmark's other processes: this program is what it starts again.
func TestMain(m *testing.M) {
	if role := os.Getenv(roleVariable); role != "" {
		serve(role)
		return
	}
	os.Exit(m.Run())
}

func TestItMeasuresEveryContenderWithEveryKindOfRequest(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, measure(options{requests: 20, rounds: 1, rate: 1000, shoppers: 2}, &out))
	for _, k := range kinds {
		for _, contender := range contenders {
			require.Contains(t, out.String(), string(k)+strings.Repeat(" ", 11-len(k))+contender)
		}
	}
	// Two rounds of twenty landings, and one for the cookies of each of six turns; the bare proxy's are of the first edge.
	require.Contains(t, out.String(), "edge, Kafka up       caught 52 ")
	require.Contains(t, out.String(), "edge, durable        caught 46 ")
}
