package relay_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/schema"
)

// copartitioned is a shop whose orders are keyed by session, like its clicks.
func copartitioned(t *testing.T, partitions int32) *shop {
	t.Helper()
	s := open(t, partitions)
	s.config.Clicks.Join = config.JoinCopartitioned
	return s
}

// bySession produces orders under the key of their session.
func (s *shop) bySession(t *testing.T, orders ...*schema.Order) {
	t.Helper()
	records := make([]*kgo.Record, len(orders))
	for i, o := range orders {
		records[i] = s.record(t, o)
		records[i].Key = []byte(o.SessionID)
	}
	s.kafka.Produce(t, records...)
}

// shoppers have a click each, and then an order each.
func (s *shop) shoppers(t *testing.T, prefix string, n int) {
	t.Helper()
	visits, orders := make([]visit, n), make([]*schema.Order, n)
	for i := range n {
		session := fmt.Sprintf("%s-%d", prefix, i)
		visits[i], orders[i] = s.hourAgo(session), s.order("ORD-"+session, session)
	}
	s.visited(t, visits...)
	s.bySession(t, orders...)
}

// Each relay holds the clicks of its own partitions, and they follow the orders when the group is shared anew.
func TestCopartitionedClicksFollowTheAssignment(t *testing.T) {
	t.Parallel()
	s := copartitioned(t, 6)
	const each = 200
	s.shoppers(t, "alone", each)
	first := s.start(t)
	s.awaitOutcomes(t, each)
	require.InDelta(t, each, first.metric(t, "cjrelay_clicks_total", "result", "applied"), 0)

	second := s.start(t)
	s.await(t, "both have their half", func() bool {
		return first.metric(t, "cjrelay_assigned_partitions") == 3 && second.metric(t, "cjrelay_assigned_partitions") == 3
	})
	s.shoppers(t, "together", each)
	s.awaitOutcomes(t, 2*each)
	read := second.metric(t, "cjrelay_clicks_total", "result", "applied")
	require.Positive(t, read)
	require.Less(t, read, float64(2*each), "the second relay reads the clicks of its partitions only")

	// What comes back to the first relay is read on from where it was left.
	before := first.metric(t, "cjrelay_clicks_total", "result", "applied")
	second.halt(t)
	s.shoppers(t, "again", each)
	s.awaitOutcomes(t, 3*each)
	require.Less(t, first.metric(t, "cjrelay_clicks_total", "result", "applied"), before+float64(2*each))
	b := s.audit(t)
	for _, prefix := range []string{"alone", "together", "again"} {
		for i := range each {
			session := fmt.Sprintf("%s-%d", prefix, i)
			b.requireAcknowledged(t, s, "ORD-"+session, clickOf(session), schema.ReasonJoined)
		}
	}
	require.Equal(t, 3*each, s.cj.Count())
}

// An order that is not keyed by its session would be a silent miss.
func TestStrayOrderIsADeadLetter(t *testing.T) {
	t.Parallel()
	s := copartitioned(t, 4)
	s.shoppers(t, "s", 200)
	s.start(t)
	s.awaitOutcomes(t, 200)
	place, err := schema.NewPartitioner(s.config.Clicks.Partitioner)
	require.NoError(t, err)
	session := "s-7"
	stray := s.record(t, s.order("STRAY", session))
	stray.Key, stray.Partition = nil, int32(place([]byte(session), 4)+1)%4
	s.kafka.Produce(t, stray)
	s.awaitOutcomes(t, 201)
	b := s.audit(t)
	require.Equal(t, schema.DeadLetter, b.byID["STRAY"].Outcome)
	require.Equal(t, schema.ReasonWrongPartition, b.byID["STRAY"].Reason)
	require.Equal(t, 200, s.cj.Count())
}

// A restart reads only the clicks that came since, from the files that the one before has left.
func TestRestartGoesOnFromTheFiles(t *testing.T) {
	t.Parallel()
	s := open(t, 3)
	s.shoppers(t, "before", 100)
	first := s.start(t)
	s.awaitOutcomes(t, 100)
	require.InDelta(t, 100, first.metric(t, "cjrelay_clicks_total", "result", "applied"), 0)
	first.halt(t)
	s.visited(t, visit{session: "before-1", click: clickOf("newer"), at: s.now.Add(-time.Minute)})
	second := s.start(t)
	s.bySession(t, s.order("OLD", "before-2"), s.order("NEW", "before-1"))
	s.awaitOutcomes(t, 102)
	require.InDelta(t, 1, second.metric(t, "cjrelay_clicks_total", "result", "applied"), 0)
	b := s.audit(t)
	b.requireAcknowledged(t, s, "OLD", clickOf("before-2"), schema.ReasonJoined)
	b.requireAcknowledged(t, s, "NEW", clickOf("newer"), schema.ReasonJoined)
}

func TestOneDirectoryServesOneRelay(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	cfg := s.config
	cfg.Clicks.Dir = t.TempDir()
	first, err := relay.New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	_, err = relay.New(cfg, slog.New(slog.DiscardHandler))
	require.ErrorContains(t, err, "clicks.dir")
	require.ErrorContains(t, err, cfg.Clicks.Dir)
	ended, end := context.WithCancel(t.Context())
	end()
	_ = first.Run(ended)
	again, err := relay.New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err, "whoever has stopped lets go of it")
	_ = again.Run(ended)
}
