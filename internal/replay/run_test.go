package replay

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/schema"
)

func TestAReplayIsDoneWhenEveryPartitionIs(t *testing.T) {
	t.Parallel()
	s := &Survey{last: map[int32]int64{0: 5, 1: 0}}
	at := func(offset int64) kadm.Offset { return kadm.Offset{At: offset} }
	require.True(t, s.reached(map[int32]kadm.Offset{0: at(5), 1: at(0)}))
	require.False(t, s.reached(map[int32]kadm.Offset{0: at(4), 1: at(0)}))
	require.False(t, s.reached(map[int32]kadm.Offset{0: at(5)}), "nothing is known of the other")
}

// With a rate, one order that waits for its turn holds up the committed offset of thousands.
func TestProgressCountsWhatEndsOutOfTurn(t *testing.T) {
	t.Parallel()
	result := Result{schema.Acknowledged: {schema.ReasonJoined: 30, schema.ReasonCarried: 10}, schema.DeadLetter: {schema.ReasonRejected: 2}}
	for name, test := range map[string]struct {
		committed, begun, done int64
		result                 Result
	}{
		"AboveTheCommitted":     {5, 0, 42, result},
		"BesideWhatWasDone":     {60, 50, 92, result},
		"OthersDidMore":         {99, 0, 99, result},
		"NeverMoreThanThereAre": {60, 60, 100, result},
		"NothingYet":            {3, 3, 3, Result{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := Progress{Done: test.committed, Total: 100}
			p.count(test.begun, test.result)
			require.Equal(t, test.done, p.Done)
			require.Equal(t, Sum(test.result[schema.Acknowledged]), p.Acknowledged)
		})
	}
}
