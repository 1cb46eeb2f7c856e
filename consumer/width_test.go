package consumer

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What lies in a partition that nobody has yet is in no metric: it must not be so for long.
func TestAddedPartitionIsSoonReadOnFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.start(t)
		b.confirm(t, 0, b.another())
		b.requireCommitted(t, 0, 1)
		answers, err := b.Admin.CreatePartitions(t.Context(), 1, b.config.Topic)
		require.NoError(t, err)
		require.NoError(t, answers.Error())
		b.confirm(t, 1, b.another())
		time.Sleep(time.Minute)
		require.EqualValues(t, 1, b.committed(t, 1))
	})
}
