package consumer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
)

// holding makes CJ answer some orders only when their channel is closed, and acknowledge all others at once.
func (c *cj) holding(answers map[string]chan struct{}) {
	c.answers(func(ctx context.Context, id string) postback.Answer {
		if answer, held := answers[id]; held {
			return after(ctx, answer)
		}
		return acknowledged
	})
}

// One order outlasts the drain, and many behind it are done. Who goes on with the partition sends that one alone.
func TestWhatIsDoneAboveTheCommittedOffsetIsNotDoneAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.Drain = 50 * time.Millisecond
	second := make(chan struct{})
	b.cj.holding(map[string]chan struct{}{"ORD-3": make(chan struct{}), "ORD-5": second})
	all := ids(10)
	b.confirm(t, 0, orders(all...)...)
	first := b.start(t)
	// The offset is committed before the second one ends, which is then all that is new.
	eventually(t, func() bool { return first.bounds.orders() == 2 }, "the others do not end")
	b.requireCommitted(t, 0, 3)
	require.NoError(t, first.commit(t.Context(), first.allLives()))
	close(second)
	eventually(t, func() bool { return first.bounds.orders() == 1 }, "the second one does not end")
	first.halt(t)
	require.EqualValues(t, 3, b.committed(t, 0))

	b.cj.always(acknowledged)
	next := b.start(t)
	b.requireCommitted(t, 0, 10)
	for _, id := range all {
		want := 1
		if id == "ORD-3" {
			want = 2
		}
		require.Equal(t, want, b.cj.attemptsOf(id), id)
	}
	require.Len(t, b.Read(t, b.config.OutcomesTopic), len(all))
	require.EqualValues(t, 6, testutil.ToFloat64(next.metrics.alreadyDone))
}

// The drain has used up its time, and yet what ended in it is committed: on an interval nothing had been.
func TestWhatEndedBeforeTheDrainsDeadlineIsCommitted(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.config.Drain, b.config.CommitInterval = 50*time.Millisecond, time.Hour
	b.cj.holding(map[string]chan struct{}{"ORD-3": make(chan struct{})})
	b.confirm(t, 0, orders(ids(4)...)...)
	r := b.start(t)
	eventually(t, func() bool { return r.bounds.orders() == 1 }, "the others do not end")
	require.EqualValues(t, 0, b.committed(t, 0))
	r.halt(t)
	require.EqualValues(t, 3, b.committed(t, 0))
}

// What somebody else has written beside the offset says nothing, and neither does what cannot be: a log that was cut
// back has given those offsets to new orders.
func TestMetadataThatCannotBeBelievedIsIgnored(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		metadata func(topic [16]byte) string
		sent     int
		warned   int
	}{
		"UpToTheEnd":     {func(topic [16]byte) string { return encodeMetadata(topic, 0, spans{{1, 3}}, metadataLimit) }, 1, 0},
		"BeyondTheEnd":   {func(topic [16]byte) string { return encodeMetadata(topic, 0, spans{{1, 4}}, metadataLimit) }, 3, 1},
		"OfAnotherTopic": {func([16]byte) string { return encodeMetadata([16]byte{9}, 0, spans{{1, 3}}, metadataLimit) }, 3, 1},
		"Foreign":        {func([16]byte) string { return "bAgAAAAAAAAAAAAA" }, 3, 1},
		"None":           {func([16]byte) string { return "" }, 3, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.Start(t), 1)
			b.readClicks(t)
			b.confirm(t, 0, orders(ids(3)...)...)
			topics, err := b.Admin.ListTopics(t.Context(), b.config.Topic)
			require.NoError(t, err)
			before := kadm.Offsets{}
			before.Add(kadm.Offset{Topic: b.config.Topic, LeaderEpoch: -1, Metadata: test.metadata(topics[b.config.Topic].ID)})
			require.NoError(t, b.Admin.CommitAllOffsets(t.Context(), b.config.Group, before))
			b.start(t)
			b.requireCommitted(t, 0, 3)
			require.Equal(t, test.sent, b.cj.total())
			require.Equal(t, test.warned, b.log.count("ignoring which offsets were done above the committed one"))
		})
	}
}

// However long the metadata was at the end of a life, the next one reads on.
func TestLongMetadataStopsNobody(t *testing.T) {
	t.Parallel()
	const holes = 1300
	var everySecond spans
	for i := range int64(holes) {
		everySecond = append(everySecond, span{2*i + 1, 2*i + 2})
	}
	for name, test := range map[string]struct {
		metadata func(topic [16]byte) string
		sent     int
	}{
		"Ours":    {func(topic [16]byte) string { return encodeMetadata(topic, 0, everySecond, metadataLimit) }, holes},
		"Foreign": {func([16]byte) string { return strings.Repeat("x", metadataLimit) }, 2 * holes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.Start(t), 1)
			b.readClicks(t)
			b.confirm(t, 0, orders(ids(2*holes)...)...)
			topics, err := b.Admin.ListTopics(t.Context(), b.config.Topic)
			require.NoError(t, err)
			metadata := test.metadata(topics[b.config.Topic].ID)
			require.GreaterOrEqual(t, len(metadata), metadataLimit*nearTenths/10)
			before := kadm.Offsets{}
			before.Add(kadm.Offset{Topic: b.config.Topic, LeaderEpoch: -1, Metadata: metadata})
			require.NoError(t, b.Admin.CommitAllOffsets(t.Context(), b.config.Group, before))
			b.start(t)
			b.requireCommitted(t, 0, 2*holes)
			require.Equal(t, test.sent, b.cj.total())
		})
	}
}
