package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// A replay reads up to its end, does what is wanted there, passes over the rest as done, and leaves what is behind it
// and other partitions alone, also what is added while it runs.
func TestReplayDoesItsPartAndNoMore(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	b.readClicks(t)
	for partition := range int32(3) {
		b.confirm(t, partition, orders(ids(10)...)...)
	}
	begin := kadm.Offsets{}
	for partition, offset := range []int64{2, 0, 10} {
		begin.AddOffset(b.config.Topic, int32(partition), offset, -1)
	}
	require.NoError(t, b.Admin.CommitAllOffsets(t.Context(), b.config.Group, begin))
	b.config.Duplicates = 1
	b.config.Replay = &Replay{
		Until:  map[int32]int64{0: 8, 1: 3},
		Wanted: func(partition int32, offset int64) bool { return partition == 0 && offset%2 == 0 },
		Recall: func(key string) (string, schema.Reason, bool) {
			return "recalled", schema.ReasonJoined, key == enterpriseID+"|sale|ORD-4"
		},
	}
	r := b.start(t)
	b.requireCommitted(t, 0, 8)
	b.requireCommitted(t, 1, 3)
	eventually(t, func() bool { return r.pausedFor()[PauseReplayed] }, "it reads on for nothing")
	for partition := range int32(3) {
		b.confirm(t, partition, order("LATER"))
	}
	require.Equal(t, int64(10), b.committed(t, 2))
	done := b.outcomes(t)
	require.Len(t, done, 3)
	for _, id := range []string{"ORD-2", "ORD-4", "ORD-6"} {
		require.Equal(t, schema.Acknowledged, done[id].Outcome, id)
	}
	require.Equal(t, "recalled", done["ORD-4"].CJEvent, "not the one that it carries")
	require.Equal(t, clickID, done["ORD-2"].CJEvent)
	require.Equal(t, 3, b.cj.total())
	require.Equal(t, int64(8), b.committed(t, 0))
}

// Where an order has been is known of it however often it dies; all else of ours belongs to one death.
func TestDeadLetterKeepsWhereItsOrderHasBeen(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.Produce(t, &kgo.Record{Topic: b.config.Topic, Value: []byte("{"), Headers: []kgo.RecordHeader{
		{Key: HeaderRedrives, Value: []byte("2")}, {Key: "cjrelay-error", Value: []byte("old")}, {Key: HeaderRedrivenFrom, Value: []byte("dlq/0/7")},
		{Key: HeaderOrigin, Value: []byte("orders/1/3")}, {Key: HeaderMended, Value: []byte("abc")}, {Key: "cjrelay-letter", Value: []byte("old")},
	}})
	b.start(t)
	b.requireCommitted(t, 0, 1)
	letters := b.Read(t, b.config.DeadLetterTopic)
	require.Len(t, letters, 1)
	headers := headersOf(letters[0])
	require.Equal(t, "2", headers["cjrelay-redrives"])
	require.Equal(t, "dlq/0/7", headers["cjrelay-redriven-from"])
	require.Equal(t, "orders/1/3", headers["cjrelay-origin"])
	require.Equal(t, "abc", headers["cjrelay-mended"])
	require.Equal(t, "malformed", headers["cjrelay-reason"])
	require.NotContains(t, headers["cjrelay-error"], "old")
	require.NotContains(t, headers, "cjrelay-letter")
}
