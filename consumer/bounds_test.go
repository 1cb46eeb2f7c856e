package consumer

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBoundsLeaveRoomUntilThreeQuartersAreTaken(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		maxCount, maxBytes, orders, bytes int
		room                              int
	}{
		"Empty":                      {100, 1000, 0, 0, 100},
		"ThreeQuarters":              {100, 1000, 75, 1, 25},
		"OneMore":                    {100, 1000, 76, 1, 0},
		"ThreeQuartersOfTheBytes":    {100, 1000, 3, 250, 97},
		"OneByteMore":                {100, 1000, 1, 751, 0},
		"AtMostABatch":               {10_000, 1 << 20, 1, 1, batch},
		"RoomForOne":                 {1, 1000, 0, 0, 1},
		"TheOneIsThere":              {1, 1000, 1, 1, 0},
		"OneOrderLargerThanTheBound": {10, 100, 1, 500, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBounds(test.maxCount, test.maxBytes)
			for range test.orders {
				b.add(test.bytes)
			}
			room, _ := b.room()
			require.Equal(t, test.room, room)
			require.Equal(t, test.orders, b.orders())
		})
	}
}

func TestBoundsNeverAdmitMoreThanTheirCount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		maxCount := rapid.IntRange(1, 50).Draw(t, "max")
		b := newBounds(maxCount, 1<<20)
		for range rapid.IntRange(0, 50).Draw(t, "steps") {
			if room, _ := b.room(); room > 0 && rapid.Bool().Draw(t, "poll") {
				for range rapid.IntRange(0, room).Draw(t, "orders") {
					b.add(10)
				}
			} else if b.orders() > 0 {
				b.remove(10)
			}
			require.LessOrEqual(t, b.orders(), maxCount)
		}
		for b.orders() > 0 {
			b.remove(10)
		}
		room, _ := b.room()
		require.Positive(t, room, "an empty process has room")
	})
}

func TestBoundsWakeWhoeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBounds(4, 1000)
		for range 4 {
			b.add(1)
		}
		room := make(chan int, 1)
		go func() { room <- b.wait(t.Context()) }()
		synctest.Wait()
		require.Empty(t, room)
		b.remove(1)
		synctest.Wait()
		require.Equal(t, 1, <-room, "three of four leave room for one")
		b.add(1)

		ctx, cancel := context.WithCancel(t.Context())
		go func() { room <- b.wait(ctx) }()
		synctest.Wait()
		cancel()
		require.Zero(t, <-room)
	})
}

// held is how many bytes are in memory.
func (b *bounds) held() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}
