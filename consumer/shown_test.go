package consumer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

func TestLogShowsOnlyWhatCanBeAnOrderID(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("A", 96)
	for _, id := range []string{"", "ORD-2024_001234", longest} {
		require.Equal(t, id, shownID(id))
	}
	for _, id := range []string{"jane@example.com", "ORD 1", "ORD\n1", longest + "A"} {
		require.Equal(t, schema.Quoted(id), shownID(id))
	}
	require.NotContains(t, shownID("jane@example.com"), "jane")
	require.NotContains(t, shownID("ORD\n1"), "\n")
	require.Less(t, len(shownID(strings.Repeat("A", 1<<20))), 200)
}
