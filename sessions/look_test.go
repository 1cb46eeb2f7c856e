package sessions

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// look looks a session up for an order at noon.
func look(t *testing.T, table *Table, session string) Finding {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	found, err := table.Look(ctx, session, noon)
	require.NoError(t, err)
	return found
}

func TestLook(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	table := b.open(t)
	broken := func(session string) *kgo.Record {
		return &kgo.Record{Topic: b.topic, Key: []byte(session), Value: []byte("not a click"), Timestamp: noon}
	}
	tests := map[string]struct {
		records         func(session string) []*kgo.Record
		clicks          []schema.Click
		erased, spoiled bool
		id              string
		reason          schema.Reason
	}{
		"NoClick": {func(string) []*kgo.Record { return nil }, nil, false, false, "", schema.ReasonNoClick},
		"Hit": {func(s string) []*kgo.Record {
			return []*kgo.Record{b.click(s, "second", time.Minute), b.click(s, "late", -time.Minute), b.click(s, "first", time.Hour)}
		}, []schema.Click{at("first", time.Hour), at("second", time.Minute), at("late", -time.Minute)}, false, false, "second", ""},
		"ClickAfterOrder": {func(s string) []*kgo.Record { return []*kgo.Record{b.click(s, "late", -time.Minute)} },
			[]schema.Click{at("late", -time.Minute)}, false, false, "", schema.ReasonClickAfterOrder},
		"ClickExpired": {func(s string) []*kgo.Record { return []*kgo.Record{b.click(s, "old", window+time.Millisecond)} },
			[]schema.Click{at("old", window+time.Millisecond)}, false, false, "", schema.ReasonClickExpired},
		"ClickErased": {func(s string) []*kgo.Record {
			return []*kgo.Record{b.click(s, "one", time.Hour), b.click(s, "two", time.Minute), broken(s), b.tombstone(s)}
		}, nil, true, false, "", schema.ReasonClickErased},
		"ClickedAgainAfterTheErasure": {func(s string) []*kgo.Record {
			return []*kgo.Record{b.click(s, "one", time.Hour), b.tombstone(s), b.click(s, "two", time.Minute)}
		}, []schema.Click{at("two", time.Minute)}, true, false, "two", ""},
		"ClickInvalid": {func(s string) []*kgo.Record { return []*kgo.Record{broken(s)} }, nil, false, true, "", schema.ReasonClickInvalid},
		"InvalidBehindAGoodOne": {func(s string) []*kgo.Record { return []*kgo.Record{b.click(s, "good", time.Hour), broken(s)} },
			[]schema.Click{at("good", time.Hour)}, false, true, "good", ""},
		"\x00not \xff text": {func(s string) []*kgo.Record { return []*kgo.Record{b.click(s, "one", time.Hour)} },
			[]schema.Click{at("one", time.Hour)}, false, false, "one", ""},
	}
	for session, test := range tests {
		t.Run(session, func(t *testing.T) {
			if records := test.records(session); len(records) > 0 {
				b.Produce(t, records...)
			}
			found := look(t, table, session)
			require.Len(t, found.Clicks, len(test.clicks))
			for i, click := range test.clicks {
				require.Equal(t, click.ID, found.Clicks[i].ID)
				require.True(t, click.CapturedAt.Equal(found.Clicks[i].CapturedAt))
			}
			require.Equal(t, test.erased, found.Erased)
			require.Equal(t, test.spoiled, found.Spoiled)
			require.Equal(t, test.id, found.Click.ID)
			require.Equal(t, test.reason, found.Reason)
		})
	}
}

// An order without a session needs no table, so neither does a look.
func TestLookWithoutASessionDoesNotWait(t *testing.T) {
	t.Parallel()
	table, err := Open(setup(t, kafkatest.Start(t), 1).config(), NewMemory())
	require.NoError(t, err)
	t.Cleanup(table.Close)
	require.Equal(t, schema.ReasonNoSession, look(t, table, "").Reason)
}

// A look is behind a gate of its own: it knows what was there when it was asked for.
func TestLookWaitsUntilTheTableIsFresh(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	decoding, goOn := b.slowly()
	table := b.open(t)
	b.Produce(t, b.click("s-1", "slow", time.Hour))
	require.Equal(t, "slow", <-decoding)
	found := make(chan Finding)
	go func() {
		seen, _ := table.Look(t.Context(), "s-1", noon)
		found <- seen
	}()
	require.Eventually(t, func() bool { return table.Behind() == 1 }, long, time.Millisecond)
	select {
	case <-found:
		require.Fail(t, "it did not wait")
	default:
	}
	close(goOn)
	require.Equal(t, "slow", (<-found).Click.ID)
	require.Zero(t, table.Behind())
}

// Whoever gives up hears what keeps the table, and the cause that they had.
func TestLookThatIsGivenUpSaysWhatKeepsTheTable(t *testing.T) {
	t.Parallel()
	enough := errors.New("waited enough")
	tests := map[string]struct {
		prepare func(t *testing.T, b *bundle) (*Table, func())
		text    string
	}{
		"NotRestoredYet": {func(t *testing.T, b *bundle) (*Table, func()) {
			decoding, goOn := b.slowly()
			b.Produce(t, b.click("s-1", "slow", time.Hour))
			table := b.open(t)
			<-decoding
			return table, func() { close(goOn) }
		}, "restoring clicks from topic "},
		"ReadyAndBehind": {func(t *testing.T, b *bundle) (*Table, func()) {
			decoding, goOn := b.slowly()
			table := b.open(t)
			requireReady(t, table)
			b.Produce(t, b.click("s-1", "slow", time.Hour))
			<-decoding
			return table, func() { close(goOn) }
		}, "up to its end: "},
		"Trouble": {func(t *testing.T, b *bundle) (*Table, func()) {
			w := &wire{}
			table := b.open(t, kgo.Dialer(w.dial), kgo.RetryBackoffFn(func(int) time.Duration { return 10 * time.Millisecond }), kgo.RequestRetries(1))
			requireReady(t, table)
			w.cut()
			table.Follow() // asks for a listing
			requireUnready(t, table, "the wire is cut")
			return table, w.mend
		}, "the wire is cut"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, goOn := test.prepare(t, setup(t, kafkatest.Start(t), 1))
			defer goOn()
			ctx, giveUp := context.WithCancelCause(t.Context())
			giveUp(enough)
			_, err := table.Look(ctx, "s-1", noon)
			require.ErrorContains(t, err, test.text)
			require.ErrorIs(t, err, enough)
		})
	}
}

func TestCopartitionedTableLooksWhereTheSessionIs(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	ours, theirs := sessionIn(2, 3, 0), sessionIn(1, 3, 0)
	b.Produce(t, b.click(ours, "one", time.Hour), b.click(theirs, "two", time.Hour))
	config := b.copartitioned(t, 3)
	table := run(t, b, config, NewMemory())
	table.Follow(2)
	require.Equal(t, "one", look(t, table, ours).Click.ID)

	_, err := table.Look(t.Context(), theirs, noon)
	require.ErrorIs(t, err, ErrElsewhere)
	require.EqualError(t, err, "the clicks of the session are not read by this instance: they are in partition 1 of topic "+b.topic+
		", and partition 1 of topic "+config.Orders+" is assigned to another instance or to none")

	table.Follow(1)
	require.Equal(t, "two", look(t, table, theirs).Click.ID)
}

// The gate of a partition that leaves never opens.
func TestPartitionThatLeavesDuringALookIsElsewhere(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	decoding, goOn := b.slowly()
	defer close(goOn)
	session := sessionIn(1, 2, 0)
	b.Produce(t, b.click(session, "slow", time.Hour))
	table := run(t, b, b.copartitioned(t, 2), NewMemory())
	table.Follow(1)
	<-decoding
	// Every listing that was asked for so far waits for the click, and then the look's own.
	listings := func() (waiting int, allListed bool) {
		_, toList := table.lister.waitingSince()
		table.progress.mu.Lock()
		defer table.progress.mu.Unlock()
		return len(table.progress.waiting), !toList
	}
	require.Eventually(t, func() bool { _, all := listings(); return all }, long, time.Millisecond)
	before, _ := listings()
	ctx, giveUp := context.WithCancel(t.Context())
	failed := make(chan error)
	go func() {
		_, err := table.Look(ctx, session, noon)
		failed <- err
	}()
	require.Eventually(t, func() bool { waiting, _ := listings(); return waiting > before }, long, time.Millisecond)
	table.Unfollow(1)
	giveUp()
	require.ErrorIs(t, <-failed, ErrElsewhere)
}

// A look that finds the files damaged lets the table end, as an order's lookup does.
func TestLookThatFindsDamageEndsTheTable(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	table, err := Open(b.config(), damagedStore{NewMemory()})
	require.NoError(t, err)
	t.Cleanup(table.Close)
	ended := make(chan error)
	go func() { ended <- table.Run(t.Context()) }()
	_, err = table.Look(t.Context(), "s-1", noon)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorIs(t, <-ended, ErrDamaged)
}

// damagedStore cannot be read.
type damagedStore struct{ *Memory }

func (damagedStore) History(int32, string) (History, error) { return History{}, ErrDamaged }

func TestTableOfOneSessionKeepsNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	b.Produce(t, b.click("s-1", "one", time.Hour), b.click("s-2", "two", time.Hour), b.click("", "none", time.Hour))
	config := b.config()
	config.Only = "s-1"
	table := run(t, b, config, NewMemory())
	require.Equal(t, "one", look(t, table, "s-1").Click.ID)
	require.EqualValues(t, 1, table.store.Sessions())
}
