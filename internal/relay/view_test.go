package relay

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/consumer"
)

// The console says what the consumer does, in the same numbers.
func TestTheStateIsTheConsumers(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	paris := time.FixedZone("", 3600)
	require.Equal(t, console.State{
		Paused: []string{"breaker"}, InMemory: 7, MaxInMemory: 10_000,
		Breaker: []console.Turn{{At: noon, State: "open", FailedProbes: 3}},
		Rules: []console.Rule{
			{Stage: "decode", Rejected: 1, Latest: 20, Stopped: true},
			{Stage: "build", Held: 2, Rejected: 2, Latest: 5, Why: "one order too many"},
			{Stage: "cj", Held: 4, Rejected: 10, Latest: 20, Holding: true, Why: "CJ answered 400"},
		},
		Partitions: []console.Partition{
			{Partition: 1, Committed: 10, Next: 20, End: 30, Done: [][2]int64{{12, 15}}, Pending: []console.Pending{{Offset: 10, Doing: "sending"}},
				Counts: map[string]int{"sending": 5}, Oldest: &noon, Paused: []string{"operator"}, Stopped: "beyond the end"},
			{Partition: 2, Committed: -1, Next: -1, End: -1, Done: [][2]int64{}, Pending: []console.Pending{}, Counts: map[string]int{}, Paused: []string{}},
		},
	}, shownView(consumer.View{
		Paused: []consumer.PauseReason{"breaker"}, InMemory: 7, MaxInMemory: 10_000,
		Circuit: []consumer.Turn{{At: noon.In(paris), State: breaker.Open, FailedProbes: 3}},
		Rules: []consumer.RuleView{
			// Why means nothing where none is held, and neither does what was too many before.
			{Stage: "decode", Rejected: 1, Latest: 20, Everything: true, Stopped: true, Why: errors.New("of yesterday")},
			{Stage: "build", Held: 2, Rejected: 2, Latest: 5, Why: errors.New("one order too many")},
			{Stage: "cj", Held: 4, Rejected: 10, Latest: 20, Everything: true, Why: errors.New("CJ answered 400")},
		},
		Partitions: []consumer.PartitionView{
			{Partition: 1, Committed: 10, Next: 20, End: 30, Done: []consumer.Range{{From: 12, To: 15}}, Pending: []consumer.Pending{{Offset: 10, Doing: "sending"}},
				Counts: map[consumer.Doing]int{"sending": 5}, Oldest: noon.In(paris), Paused: []consumer.PauseReason{"operator"}, Stopped: errors.New("beyond the end")},
			{Partition: 2, Committed: -1, Next: -1, End: -1},
		},
	}))
}
