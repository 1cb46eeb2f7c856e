package sessions

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/cjrelay/cjrelay/schema"
)

// event is one record of a session in the naive model, which keeps them all and looks through them each time.
type event struct {
	click         schema.Click
	erase, spoilt bool
}

// verdict is what design.md says of the join, word for word and as slow as it likes.
func verdict(events []event, at time.Time) (id string, reason schema.Reason) {
	erased := false
	for i, e := range events {
		if e.erase {
			events, erased = events[i+1:], true
			id, reason = verdict(events, at)
			if reason == schema.ReasonNoClick && erased {
				reason = schema.ReasonClickErased
			}
			return id, reason
		}
	}
	var eligible, later []schema.Click
	spoilt := false
	for _, e := range events {
		switch {
		case e.spoilt:
			spoilt = true
		case e.click.CapturedAt.After(at):
			later = append(later, e.click)
		case !slices.Contains(eligible, e.click):
			eligible = append(eligible, e.click)
		}
	}
	var latest schema.Click
	for _, click := range eligible {
		if latest.ID == "" || !click.CapturedAt.Before(latest.CapturedAt) {
			latest = click
		}
	}
	switch {
	case latest.ID != "" && at.Sub(latest.CapturedAt) > window:
		return "", schema.ReasonClickExpired
	case latest.ID != "":
		return latest.ID, ""
	case len(later) > 0:
		return "", schema.ReasonClickAfterOrder
	case spoilt:
		return "", schema.ReasonClickInvalid
	}
	return "", schema.ReasonNoClick
}

func TestMemoryAndJudgeAgreeWithTheNaiveModel(t *testing.T) {
	t.Parallel()
	// Few sessions, ids and times, so that equal ones meet; times on both sides of the order and the window.
	session := rapid.SampledFrom([]string{"s-1", "s-2"})
	id := rapid.SampledFrom([]string{"a", "b", "c"})
	before := rapid.SampledFrom([]time.Duration{-time.Hour, -1, 0, 1, time.Hour, window - 1, window, window + 1})
	rapid.Check(t, func(t *rapid.T) {
		store, model := NewMemory(), map[string][]event{}
		require.NoError(t, store.Begin(Origin{Layout: Global}))
		batch := store.NewBatch()
		for range rapid.IntRange(0, 14).Draw(t, "records") {
			s := session.Draw(t, "session")
			var e event
			var change Change
			switch rapid.IntRange(0, 7).Draw(t, "kind") {
			case 0:
				e.erase = true
				change = erase
			case 1:
				e.spoilt = true
				change = spoil
			default:
				e.click = at(id.Draw(t, "id"), before.Draw(t, "before"))
				change = put(e.click)
			}
			batch.Add(0, []byte(s), change)
			if rapid.Bool().Draw(t, "commit") {
				require.NoError(t, batch.Commit(nil))
			}
			model[s] = append(model[s], e)
		}
		require.NoError(t, batch.Commit(nil))
		for s, events := range model {
			order := noon.Add(before.Draw(t, "order"))
			wantID, wantReason := verdict(events, order)
			history, err := store.History(0, s)
			require.NoError(t, err)
			click, reason := judge(history, order, window)
			require.Equal(t, wantID, click.ID)
			require.Equal(t, wantReason, reason)
		}
		require.EqualValues(t, len(model), store.Sessions())
	})
}

func TestReadersSeeWholeHistories(t *testing.T) {
	t.Parallel()
	store := NewMemory()
	require.NoError(t, store.Begin(Origin{Layout: Global}))
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			for {
				history, _ := store.History(0, "s")
				clicks := history.Clicks
				for i := 1; i < len(clicks); i++ {
					if clicks[i].CapturedAt.Before(clicks[i-1].CapturedAt) {
						t.Error("a reader saw clicks out of order")
					}
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	batch := store.NewBatch()
	for i := range 300 {
		batch.Add(0, []byte("s"), put(at(fmt.Sprint(i), time.Duration(i*7919%300)*time.Second)))
		require.NoError(t, batch.Commit(nil))
	}
	close(done)
	readers.Wait()
	history, err := store.History(0, "s")
	require.NoError(t, err)
	require.Len(t, history.Clicks, 300)
	require.EqualValues(t, 1, store.Sessions())
}
