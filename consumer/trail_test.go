package consumer

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// whats are the steps of a trail.
func whats(t Trail) []string {
	var all []string
	for _, step := range t.Steps {
		all = append(all, step.What)
	}
	return all
}

func ofOrder(id string) func(Trail) bool { return func(t Trail) bool { return t.OrderID == id } }

// trailOf waits until an order's way is over and committed, and returns it.
func (r *running) trailOf(t *testing.T, id string) Trail {
	t.Helper()
	var found []Trail
	eventually(t, func() bool {
		found = r.Trails(10, ofOrder(id))
		return len(found) == 1 && found[0].Steps[len(found[0].Steps)-1].What == StepCommitted
	}, "order %s is never committed: %v", id, found)
	return found[0]
}

func TestTrailTellsTheWayOfAnOrder(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.visit(t)
	b.readClicks(t)
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		switch {
		case id == "ORD-flaky" && b.cj.attemptsOf(id) == 1:
			return unavailable
		case id == "ORD-rejected":
			return rejected
		}
		return acknowledged
	})
	b.confirm(t, 0, joined("s-good")("ORD-joined"), order("ORD-flaky"), joined("s-unknown")("ORD-missed"), order("ORD-rejected"), "{")
	r := b.start(t)

	good := r.trailOf(t, "ORD-joined")
	require.Equal(t, []string{StepRead, StepJoined, StepAttempt, "acknowledged", StepWritten, StepCommitted}, whats(good))
	require.Equal(t, schema.Acknowledged, good.Outcome)
	require.Equal(t, schema.ReasonJoined, good.Reason)
	require.Empty(t, good.Doing)
	require.Equal(t, b.cj.queries["ORD-joined"], good.Query.Raw())
	require.NotZero(t, good.Produced)

	flaky := r.trailOf(t, "ORD-flaky")
	require.Equal(t, []string{StepRead, StepJoined, StepAttempt, StepAttempt, "acknowledged", StepWritten, StepCommitted}, whats(flaky))
	require.Equal(t, 503, flaky.Steps[2].Status)
	require.Contains(t, flaky.Steps[2].Detail, "503 Service Unavailable")
	require.Equal(t, 200, flaky.Steps[3].Status)

	missed := r.trailOf(t, "ORD-missed")
	require.Equal(t, []string{StepRead, "unattributed", StepWritten, StepCommitted}, whats(missed))
	require.Equal(t, "no_click", missed.Steps[1].Detail)

	refused := r.trailOf(t, "ORD-rejected")
	require.Equal(t, []string{StepRead, StepJoined, StepAttempt, StepRejected, "dead_letter", StepWritten, StepCommitted}, whats(refused))
	require.Contains(t, refused.Steps[3].Detail, "cj: ")

	unreadable := r.trailOf(t, "")
	require.EqualValues(t, 4, unreadable.Offset)
	require.Equal(t, schema.ReasonMalformed, unreadable.Reason)
	for _, trail := range r.Trails(100, func(Trail) bool { return true }) {
		for i, step := range trail.Steps {
			require.NotContains(t, step.Detail, clickID)
			require.False(t, i > 0 && step.At.Before(trail.Steps[i-1].At), "steps are in the order of time")
		}
	}
}

func TestTrailOfAnOrderThatIsTriedForLongKeepsBothEnds(t *testing.T) {
	t.Parallel()
	one := newTrail(3, 7, time.Unix(1, 0), time.Unix(2, 0))
	for i := range 100 {
		one.note(Step{At: time.Unix(int64(3+i), 0), What: StepAttempt, Detail: fmt.Sprint(i)})
	}
	is := one.look()
	require.Len(t, is.Steps, firstSteps+lastSteps)
	require.Equal(t, 101-firstSteps-lastSteps, is.Omitted)
	require.Equal(t, StepRead, is.Steps[0].What)
	require.Equal(t, "4", is.Steps[firstSteps-1].Detail)
	require.Equal(t, "86", is.Steps[firstSteps].Detail)
	require.Equal(t, "99", is.Steps[firstSteps+lastSteps-1].Detail)
}

func TestManyGoodOrdersDoNotHideTheOthers(t *testing.T) {
	t.Parallel()
	var all trails
	leave := func(offset int64, kind schema.Kind) {
		one := newTrail(0, offset, time.Time{}, time.Now())
		one.change(func(is *Trail) { is.Outcome = kind })
		all.left(one)
	}
	leave(0, schema.DeadLetter)
	for i := range int64(3 * trailsKept) {
		leave(1+i, schema.Acknowledged)
	}
	kept := map[int64]bool{}
	for _, one := range all.all() {
		kept[one.look().Offset] = true
	}
	require.Len(t, kept, 1+trailsKept, "no more than the bound")
	require.True(t, kept[0], "the dead letter is still there")
	require.True(t, kept[3*trailsKept], "so is the latest order")
}

func TestViewShowsWhatIsDoneAndWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	b.cj.answers(func(ctx context.Context, id string) postback.Answer {
		if id == "ORD-2" {
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return acknowledged
	})
	b.confirm(t, 1, orders(ids(6)...)...)
	before := New(b.config).View()
	require.Empty(t, before.Partitions)
	r := b.start(t)
	b.requireCommitted(t, 1, 2)
	var view View
	eventually(t, func() bool {
		view = r.View()
		return len(view.Partitions) == 2 && len(view.Partitions[1].Done) == 1
	}, "the others are never done: %+v", view)
	p := view.Partitions[1]
	require.EqualValues(t, 1, p.Partition)
	require.Equal(t, []Range{{3, 6}}, p.Done)
	require.Equal(t, []Pending{{2, BeingSent}}, p.Pending)
	require.Equal(t, map[Doing]int{BeingSent: 1}, p.Counts)
	require.EqualValues(t, 2, p.Committed)
	require.EqualValues(t, 6, p.Next)
	require.Equal(t, 1, view.InMemory)
	require.Equal(t, breaker.Closed, view.Circuit[len(view.Circuit)-1].State)
	found := r.Trails(10, func(is Trail) bool { return is.Doing != "" })
	require.Len(t, found, 1)
	require.Equal(t, "ORD-2", found[0].OrderID)
}
