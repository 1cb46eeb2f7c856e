package sessions

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// sabotage breaks tables on purpose.
type sabotage struct {
	// store stands between the table and its store.
	store func(Store) Store
	// open opens every gate at once.
	open bool
}

// What the oracle does not notice here it would not notice in the table either.
func TestOracleNoticesBrokenTablesOnFake(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]sabotage{
		"GatesThatOpenAtOnce":            {open: true},
		"TombstonesIgnored":              {store: changing(func(c Change) (Change, bool) { return c, c.Kind != Erase })},
		"MalformedClicksIgnored":         {store: changing(func(c Change) (Change, bool) { return c, c.Kind != Spoil })},
		"ClickAtTheTimeOfTheOrderMissed": {store: changing(func(c Change) (Change, bool) { return c.later(), true })},
		"CommittedTooLate":               {store: func(s Store) Store { return lateStore{s} }},
		"CheckpointOneTooFar":            {store: func(s Store) Store { return hastyStore{s} }},
		"HistoryOfAnHourAgo":             {store: func(s Store) Store { return &staleStore{Store: s, seen: map[string]History{}} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const enough = 20
			for seed := range uint64(enough) {
				var noticed error
				synctest.Test(t, func(t *testing.T) {
					wakeUp()
					w := newWorld(t, kafkatest.StartVirtual(t), seed)
					w.broken = &broken
					noticed = w.scenario(scenarioSteps)
				})
				if noticed != nil {
					t.Logf("seed %d: %v", seed, noticed)
					return
				}
			}
			require.Fail(t, "the oracle noticed nothing")
		})
	}
}

// changing changes what is kept, or keeps it from the store.
func changing(change func(Change) (changed Change, kept bool)) func(Store) Store {
	return func(s Store) Store { return changingStore{s, change} }
}

type changingStore struct {
	Store
	change func(Change) (Change, bool)
}

func (s changingStore) NewBatch() Batch { return changingBatch{s.Store.NewBatch(), s.change} }

type changingBatch struct {
	Batch
	change func(Change) (Change, bool)
}

func (b changingBatch) Add(partition int32, session []byte, change Change) {
	if changed, kept := b.change(change); kept {
		b.Batch.Add(partition, session, changed)
	}
}

// later is the click a millisecond later.
func (c Change) later() Change {
	c.Click.CapturedAt = c.Click.CapturedAt.Add(time.Millisecond)
	return c
}

// lateStore says that a batch is committed before it is.
type lateStore struct{ Store }

func (s lateStore) NewBatch() Batch { return &lateBatch{now: s.Store.NewBatch(), store: s.Store} }

type lateBatch struct {
	now   Batch
	store Store
}

func (b *lateBatch) Add(partition int32, session []byte, change Change) {
	b.now.Add(partition, session, change)
}
func (b *lateBatch) Bytes() int { return b.now.Bytes() }

func (b *lateBatch) Commit(checkpoints map[int32]Checkpoint) error {
	late := b.now
	b.now = b.store.NewBatch()
	time.AfterFunc(time.Millisecond, func() { _ = late.Commit(checkpoints) })
	return nil
}

// hastyStore goes on behind a record that it has not read.
type hastyStore struct{ Store }

func (s hastyStore) Checkpoint(partition int32) Checkpoint {
	at := s.Store.Checkpoint(partition)
	if !at.Current.IsZero() {
		at.Next++
	}
	return at
}

// staleStore goes on giving what it gave first.
type staleStore struct {
	Store
	seen map[string]History
}

func (s *staleStore) History(partition int32, session string) (History, error) {
	if history, seen := s.seen[session]; seen {
		return history, nil
	}
	history, err := s.Store.History(partition, session)
	s.seen[session] = history
	return history, err
}
