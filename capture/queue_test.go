package capture

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What was taken out makes room, or the edge would take four megabytes of clicks in its life.
func TestQueueHasRoomAgainWhenItWasTaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	session := strings.Repeat("s", maxSession)
	size := 0
	for size <= 2*queueBytes {
		group := 0
		for ; group+2*maxSession <= queueBytes; group += 2 * maxSession {
			entry := newEntry(record{put, session, clickA, now()})
			require.NoError(t, b.queue.add(entry))
			size += len(entry.frame)
		}
		taken, open := b.queue.take()
		require.Len(t, taken, group/(2*maxSession))
		require.True(t, open)
	}
	require.Zero(t, b.metric("lost_total{queue_full}"))
}

// What came before the end can be taken, and nothing after it.
func TestQueueThatIsClosed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.NoError(t, b.queue.add(newEntry(nth(1))))
	b.queue.close()
	require.ErrorIs(t, b.queue.add(newEntry(nth(2))), errStopped)
	require.Equal(t, 1.0, b.metric("lost_total{stopped}"))
	taken, open := b.queue.take()
	require.Len(t, taken, 1)
	require.False(t, open)
}

// A page whose click is on disk says so, also when its time is over.
func TestWhatIsOnDiskIsNotLate(t *testing.T) {
	t.Parallel()
	entry := newEntry(nth(1))
	entry.finish(nil)
	late := make(chan struct{})
	close(late)
	for range 100 {
		require.NoError(t, entry.await(late))
	}
	require.ErrorIs(t, newEntry(nth(2)).await(late), errLate)
}

// Room that was not given is not taken either.
func TestRoomThatIsRefusedIsNotCounted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	most := int(b.spool.maxBytes)
	require.False(t, b.spool.reserve(most+1))
	require.Zero(t, b.metric("spool_bytes"))
	require.True(t, b.spool.reserve(most), "all of it may be used")
	require.False(t, b.spool.reserve(1))
	require.EqualValues(t, most, b.metric("spool_bytes"))
	b.spool.taken.Store(0)
}
