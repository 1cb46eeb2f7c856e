//go:build synctests

package sim

import (
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// shop produces clicks and orders. Everything happens one after the other, so that a click that comes before an order
// is in Kafka before the order is.
type shop struct {
	*world
	plain, transactional *kgo.Client
	// open are the orders of the transaction that is being filled.
	open []*shopper
}

// errand is one thing to do at a time.
type errand struct {
	at time.Duration
	do func()
}

func (w *world) openShop() *shop {
	s := &shop{world: w}
	options := append(w.reach(w.dial), kgo.ProducerLinger(0))
	var err error
	s.plain, err = kgo.NewClient(options...)
	require.NoError(w.t, err)
	s.transactional, err = kgo.NewClient(append(options, kgo.TransactionalID("shop"))...)
	require.NoError(w.t, err)
	return s
}

func (s *shop) close() {
	s.plain.Close()
	s.transactional.Close()
}

// errands are those of some shoppers, in the order of their time.
func (s *shop) errands(shoppers []*shopper) []errand {
	var all []errand
	for i, one := range shoppers {
		for _, v := range one.visits {
			if v.before >= 0 {
				all = append(all, errand{one.at - v.before, func() { s.visited(one, v) }})
			}
		}
		last := i+1 == len(shoppers) || shoppers[i+1].transaction != one.transaction
		all = append(all, errand{one.at, func() { s.confirmed(one, last) }})
		if one.repeats {
			all = append(all, errand{one.at, func() { s.repeated(one) }})
		}
		for _, v := range one.visits {
			if v.before < 0 {
				all = append(all, errand{one.at - v.before, func() { s.visited(one, v); one.lateAt = time.Now() }})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b errand) int { return int(a.at - b.at) })
	return all
}

// visited produces a click.
func (s *shop) visited(one *shopper, v visit) {
	at := time.Now().Add(-v.captured).UTC().Truncate(time.Millisecond)
	record := &kgo.Record{Topic: s.config.Clicks.Topic, Key: []byte(one.session), Timestamp: at}
	switch {
	case v.spoiled:
		record.Value = []byte("not a click")
	case v.click == "":
	case s.options.ClickFormat == config.Avro:
		value, err := schema.EncodeClick(kafkatest.ClickSchemaID, schema.Click{ID: v.click, CapturedAt: at})
		require.NoError(s.t, err)
		record.Value = value
	case s.options.ClickFormat == config.BareClick:
		record.Value = []byte(v.click)
	default:
		record.Value = []byte(`{"cjevent":"` + v.click + `","captured_at":"` + at.Format(time.RFC3339Nano) + `"}`)
	}
	s.produce(s.options.Transactions, kgo.TryCommit, record)
}

// confirmed produces an order, or collects it for its transaction, which ends with the last one.
func (s *shop) confirmed(one *shopper, last bool) {
	order, err := one.order(time.Now())
	require.NoError(s.t, err)
	if s.options.OrderFormat == config.Avro {
		one.value, err = schema.EncodeOrder(kafkatest.OrderSchemaID, order)
	} else {
		one.value, err = order.MarshalJSON()
	}
	require.NoError(s.t, err)
	if one.damage != nil {
		one.value = one.damage(one.value)
	}
	one.key = []byte("key-" + one.id)
	if s.options.Join == config.JoinCopartitioned && one.session != "" {
		one.key = []byte(one.session)
	}
	s.open = append(s.open, one)
	if one.transaction != 0 && !last {
		return
	}
	records := make([]*kgo.Record, len(s.open))
	for i, o := range s.open {
		records[i] = &kgo.Record{Topic: s.config.Orders.Topic, Key: o.key, Value: o.value, Headers: []kgo.RecordHeader{{Key: "trace", Value: []byte(o.id)}}}
	}
	end := kgo.TryCommit
	if one.aborted {
		end = kgo.TryAbort
	}
	s.produce(one.transaction != 0, end, records...)
	for i, o := range s.open {
		o.place, o.produced = place{records[i].Partition, records[i].Offset}, !o.aborted
	}
	s.open = nil
}

// repeated produces an order's record once more.
func (s *shop) repeated(one *shopper) {
	record := &kgo.Record{Topic: s.config.Orders.Topic, Key: one.key, Value: one.value}
	s.produce(false, kgo.TryCommit, record)
	one.again = place{record.Partition, record.Offset}
}

// produce writes records and waits until Kafka has them.
func (s *shop) produce(transaction bool, end kgo.TransactionEndTry, records ...*kgo.Record) {
	ctx := context.Background()
	if !transaction {
		require.NoError(s.t, s.plain.ProduceSync(ctx, records...).FirstErr())
		return
	}
	for {
		require.NoError(s.t, s.transactional.BeginTransaction())
		err := s.transactional.ProduceSync(ctx, records...).FirstErr()
		if err == nil {
			s.end(end)
			return
		}
		// The broker that has the transaction may be away.
		s.end(kgo.TryAbort)
		for _, r := range records {
			*r = kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers, Timestamp: r.Timestamp}
		}
	}
}

// end ends the transaction, however often it takes.
func (s *shop) end(end kgo.TransactionEndTry) {
	for s.transactional.EndTransaction(context.Background(), end) != nil {
		time.Sleep(100 * time.Millisecond)
	}
}
