package capture

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever takes an edge away for good must know that its directory still holds clicks.
func TestStopTellsWhatIsLeftInTheSpool(t *testing.T) {
	t.Parallel()
	s := openShelf(t, newMemoryFiles(), enough)
	require.NoError(t, s.put(numbered(0, 3)...))
	require.NoError(t, s.close())
	require.Contains(t, s.log.String(), `level=INFO msg="clicks wait in the spool for the next start" clicks=3`)

	s = openShelf(t, s.files, enough)
	require.Len(t, s.rest(), 3)
	require.NoError(t, s.close())
	require.NotContains(t, s.log.String(), "for the next start")
}
