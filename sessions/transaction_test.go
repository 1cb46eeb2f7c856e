package sessions

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// begin produces clicks in a transaction and returns the way to end it.
func (b *bundle) begin(t *testing.T, clicks ...*kgo.Record) (end func(kgo.TransactionEndTry)) {
	t.Helper()
	client := b.Client(t, kgo.TransactionalID(kafkatest.Name("edge")), kgo.TransactionTimeout(time.Minute))
	require.NoError(t, client.BeginTransaction())
	require.NoError(t, client.ProduceSync(t.Context(), clicks...).FirstErr())
	return func(how kgo.TransactionEndTry) {
		t.Helper()
		require.NoError(t, client.EndTransaction(t.Context(), how))
		// Kafka answers before the markers are written; until then the clicks are not in the topic.
		require.Eventually(t, func() bool {
			stable, err := b.Admin.ListCommittedOffsets(t.Context(), b.topic)
			require.NoError(t, err)
			ends, err := b.Admin.ListEndOffsets(t.Context(), b.topic)
			require.NoError(t, err)
			return stable[b.topic][0].Offset == ends[b.topic][0].Offset
		}, long, time.Millisecond)
	}
}

func TestMarkerAtTheTailDoesNotHoldTheGate(t *testing.T) {
	t.Parallel()
	for name, how := range map[string]kgo.TransactionEndTry{"Commit": kgo.TryCommit, "Abort": kgo.TryAbort} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, kafkatest.Start(t), 1)
			b.Produce(t, b.click("s", "plain", 2*time.Hour))
			running := b.open(t)
			requireOpens(t, running.Gate())
			end := b.begin(t, b.click("s", "transactional", time.Hour))
			end(how)
			want := "transactional"
			if how == kgo.TryAbort {
				want = "plain"
			}
			requireVerdict(t, running, "s", want, "")
			requireVerdict(t, b.open(t), "s", want, "")
		})
	}
}

func TestAbortedClicksNeverCount(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	table := b.open(t)
	for range 3 {
		end := b.begin(t, b.click("s-1", "aborted", time.Hour), b.tombstone("s-2"))
		end(kgo.TryAbort)
		requireVerdict(t, table, "s-1", "", schema.ReasonNoClick)
		requireVerdict(t, table, "s-2", "", schema.ReasonNoClick)
	}
	require.Zero(t, table.store.Sessions())
}

func TestOpenTransactionIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	table := b.open(t)
	b.Produce(t, b.click("s-1", "before", time.Hour))
	end := b.begin(t, b.click("s-2", "open", time.Hour))
	requireVerdict(t, table, "s-1", "before", "")
	requireVerdict(t, table, "s-2", "", schema.ReasonNoClick)
	requireVerdict(t, b.open(t), "s-2", "", schema.ReasonNoClick)
	end(kgo.TryCommit)
	requireVerdict(t, table, "s-2", "open", "")
}
