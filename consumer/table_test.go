package consumer

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
	"github.com/cjrelay/cjrelay/sessions"
)

// brokenStore is a click table's store that cannot say what it knows.
type brokenStore struct {
	sessions.Store
	broken atomic.Bool
	asked  atomic.Int32
}

func (s *brokenStore) History(partition int32, session string) (sessions.History, error) {
	s.asked.Add(1)
	if s.broken.Load() {
		return sessions.History{}, errAway
	}
	return s.Store.History(partition, session)
}

// A click table that is broken delays the orders that ask it. None is told that it has no click.
func TestBrokenTableDelaysOrders(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	store := &brokenStore{Store: sessions.NewMemory()}
	store.broken.Store(true)
	b.table.Close()
	decode, err := schema.NewClickDecoder(schema.FormatString, nil)
	require.NoError(t, err)
	b.table, err = sessions.Open(sessions.Config{Topic: b.clicks, Window: 395 * 24 * time.Hour, Decode: decode, Client: b.Options(), Log: b.logger()}, store)
	require.NoError(t, err)
	b.config.Clicks = b.table
	b.visit(t)
	b.readClicks(t)
	b.confirm(t, 0, joined("s-good")("ORD-1"))
	b.start(t)
	eventually(t, func() bool { return store.asked.Load() > 3 }, "the table is not asked again")
	require.Empty(t, b.outcomes(t))
	store.broken.Store(false)
	b.requireCommitted(t, 0, 1)
	require.Equal(t, schema.ReasonJoined, b.outcomes(t)["ORD-1"].Reason)
}
