package relay_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// transaction produces records in a transaction that is still open.
func (s *shop) transaction(t *testing.T, records ...*kgo.Record) (end func(kgo.TransactionEndTry)) {
	t.Helper()
	client := s.kafka.Client(t, kgo.TransactionalID(kafkatest.Name("producer")))
	require.NoError(t, client.BeginTransaction())
	require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
	return func(try kgo.TransactionEndTry) {
		t.Helper()
		require.NoError(t, client.EndTransaction(t.Context(), try))
	}
}

// Orders of an aborted transaction were never confirmed. Markers and aborted records leave holes in the
// offsets, and nothing may stop at them.
func TestOrdersOfAbortedTransactionsAreNotSent(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	records := func(name string) []*kgo.Record {
		var all []*kgo.Record
		for _, o := range s.many(20, name) {
			all = append(all, s.record(t, o))
		}
		return all
	}
	s.transaction(t, records("ABORTED-1")...)(kgo.TryAbort)
	s.transaction(t, records("COMMITTED-1")...)(kgo.TryCommit)
	r := s.start(t)
	s.awaitOutcomes(t, 20)
	s.kafka.Produce(t, records("PLAIN")...)
	s.awaitOutcomes(t, 40)

	endOpen := s.transaction(t, records("OPEN")...)
	s.transaction(t, records("ABORTED-2")...)(kgo.TryAbort)
	s.kafka.Produce(t, records("BEHIND")...)
	require.Equal(t, 40, s.cj.Count(), "orders of an open transaction, and those behind it, are not there yet")
	endOpen(kgo.TryCommit)
	s.awaitOutcomes(t, 80)
	s.transaction(t, records("ABORTED-3")...)(kgo.TryAbort)
	// The topic ends with an abort marker, and the group stands behind it.
	s.await(t, "everything is committed", func() bool { return r.Lag().Commit == 0 && s.committed(t)[0] == 20*7+5 })
	b := s.audit(t)
	require.Equal(t, 80, s.cj.Count())
	for _, name := range []string{"COMMITTED-1-0", "PLAIN-19", "OPEN-0", "BEHIND-19"} {
		b.requireAcknowledged(t, s, name, clickOf(name), schema.ReasonCarried)
	}
}

// A click of an aborted transaction does not count; a click topic that ends with markers, or with an open
// transaction, does not hold up any order.
func TestClicksOfAbortedTransactionsDoNotCount(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.transaction(t, s.click(t, s.hourAgo("s-aborted")))(kgo.TryAbort)
	s.transaction(t, s.click(t, s.hourAgo("s-committed")))(kgo.TryCommit)
	s.transaction(t, s.click(t, visit{"s-committed", clickOf("other"), s.now}))(kgo.TryAbort)
	s.confirm(t, s.order("ABORTED", "s-aborted"), s.order("COMMITTED", "s-committed"))
	s.start(t)
	s.awaitOutcomes(t, 2)

	end := s.transaction(t, s.click(t, s.hourAgo("s-open")))
	s.confirm(t, s.order("OPEN", "s-open"))
	s.awaitOutcomes(t, 3)
	end(kgo.TryCommit)
	s.confirm(t, s.order("CLOSED", "s-open"))
	s.awaitOutcomes(t, 4)
	b := s.audit(t)
	require.Equal(t, schema.ReasonNoClick, b.byID["ABORTED"].Reason)
	require.Equal(t, schema.ReasonNoClick, b.byID["OPEN"].Reason)
	b.requireAcknowledged(t, s, "COMMITTED", clickOf("s-committed"), schema.ReasonJoined)
	b.requireAcknowledged(t, s, "CLOSED", clickOf("s-open"), schema.ReasonJoined)
	require.Equal(t, 2, s.cj.Count())
}
