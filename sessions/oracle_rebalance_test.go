package sessions

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// The poller may hold a fetch for long, while readers have enough to do. What is in it of a partition that went and
// came back belongs to the reading that ended: the new one fetches it again from where it begins. Taken for its own it
// would open the gate for the new reading, which then applies the same records once more: erased clicks come back.
func TestFetchFromBeforeARebalanceIsNotTakenAfterIt(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	table, err := Open(b.copartitioned(t, 2), NewMemory())
	require.NoError(t, err)
	defer table.Close()
	b.Produce(t, b.click(sessionIn(1, 2, 0), "erased", time.Hour), b.tombstone(sessionIn(1, 2, 0)))

	// The table's goroutines, one step at a time.
	carryOut := func() {
		due, _, cancel := table.intents.take(t.Context())
		defer cancel()
		for _, next := range due {
			next(table.client)
		}
	}
	table.Follow(1)
	_, err = table.listOnce(t.Context())
	require.NoError(t, err)
	carryOut()
	var fetched []*kgo.Record
	for len(fetched) < 2 {
		fetches := table.client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		fetched = append(fetched, fetches.Records()...)
	}

	table.Unfollow(1)
	table.Follow(1)
	_, err = table.listOnce(t.Context())
	require.NoError(t, err)
	table.hand(t.Context(), group{partition: 1, records: fetched, next: 2})
	for _, r := range table.readers {
		require.Empty(t, r.groups, "what was fetched for the reading that ended is taken for the new one's")
	}

	carryOut()
	table.hand(t.Context(), group{partition: 1, records: fetched, next: 2})
	require.Len(t, table.readers[1%len(table.readers)].groups, 1, "from here on the client reads for the new one")
}

// A partition that goes while the topic is being listed must not be read after that: nobody would end it.
func TestPartitionThatGoesDuringAListingIsNotReadOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 2)
	table, err := Open(b.copartitioned(t, 2), NewMemory())
	require.NoError(t, err)
	defer table.Close()
	topic, err := table.describe(t.Context())
	require.NoError(t, err)
	table.Follow(0, 1)
	wanted := table.wanted(topic)
	table.Unfollow(1)
	require.NoError(t, table.follow(t.Context(), wanted))
	require.Equal(t, map[int32]bool{0: true}, table.progress.follows())
}
