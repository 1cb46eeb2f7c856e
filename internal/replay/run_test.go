package replay

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
)

func TestAReplayIsDoneWhenEveryPartitionIs(t *testing.T) {
	t.Parallel()
	s := &Survey{last: map[int32]int64{0: 5, 1: 0}}
	at := func(offset int64) kadm.Offset { return kadm.Offset{At: offset} }
	require.True(t, s.reached(map[int32]kadm.Offset{0: at(5), 1: at(0)}))
	require.False(t, s.reached(map[int32]kadm.Offset{0: at(4), 1: at(0)}))
	require.False(t, s.reached(map[int32]kadm.Offset{0: at(5)}), "nothing is known of the other")
}
