package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLookAheadPausesAtItsShareAndResumesAtHalf(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		share share
		bytes int
	}{
		"ByCount": {share{orders: 4, bytes: 1000}, 1},
		"ByBytes": {share{orders: 1000, bytes: 4}, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var a lookAhead
			for range 3 {
				a.hold(test.bytes)
				require.False(t, a.isFull(test.share))
			}
			a.hold(test.bytes)
			require.True(t, a.isFull(test.share))
			a.letGo(test.bytes)
			require.True(t, a.isFull(test.share))
			a.letGo(test.bytes)
			require.False(t, a.isFull(test.share))
		})
	}
	t.Run("AShareThatGrowsResumes", func(t *testing.T) {
		t.Parallel()
		a := lookAhead{orders: 4, bytes: 4}
		require.True(t, a.isFull(share{orders: 4, bytes: 1000}))
		require.False(t, a.isFull(share{orders: 8, bytes: 1000}))
	})
	t.Run("AShareThatIsTinyResumesWhenNothingIsHeld", func(t *testing.T) {
		t.Parallel()
		var a lookAhead
		a.hold(10)
		require.True(t, a.isFull(share{orders: 1, bytes: 1}))
		a.letGo(10)
		require.False(t, a.isFull(share{orders: 1, bytes: 1}))
	})
}

func TestSharesLeaveHalfTheRoomFree(t *testing.T) {
	t.Parallel()
	config := Config{MaxPending: 10_000, MaxPendingPerPartition: 2000, MaxPendingBytes: 64 << 20}
	require.Equal(t, share{orders: 1000, bytes: 32 << 20}, shareOf(config, 1))
	require.Equal(t, share{orders: 1000, bytes: 6_710_886}, shareOf(config, 5))
	require.Equal(t, share{orders: 50, bytes: 335_544}, shareOf(config, 100))
	require.Equal(t, share{orders: 1, bytes: 1}, shareOf(Config{MaxPending: 1, MaxPendingPerPartition: 1, MaxPendingBytes: 1}, 100))
	require.Equal(t, shareOf(config, 1), shareOf(config, 0))
}
