package demo

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNotesCountWarningsAndKeepTheLastErrors(t *testing.T) {
	t.Parallel()
	n, file := newNotes(), &buffer{}
	log := n.log(file)
	require.Empty(t, n.summary())
	log.Info("all is well")
	for range 3 {
		log.Warn("dead letter; see the topic", "reason", "malformed")
	}
	for i := range 7 {
		log.With("relay", 1).Error("stalled", "partition", i)
	}
	require.Contains(t, n.summary(), "10 warnings")
	require.Contains(t, n.summary(), "3 dead letter, 7 stalled\n")
	require.NotContains(t, n.summary(), "partition=1\n")
	for i := 2; i < 7; i++ {
		require.Contains(t, n.summary(), fmt.Sprintf("stalled partition=%d\n", i))
	}
	require.Equal(t, 11, strings.Count(file.String(), "\n"))
	require.Contains(t, file.String(), "all is well")
}
