//go:build kafka

package chaos

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
)

// The defining case: CJ has orders of which the group does not know. All of them are sent again, in the same words,
// and none beyond them.
func TestKilledBetweenAcknowledgementAndCommit(t *testing.T) {
	t.Parallel()
	t.Run("BeforeTheCommitIsDue", func(t *testing.T) {
		b := set(t, 3)
		b.Config.Delivery.CommitInterval = seldom
		r := b.start()
		b.done(150)
		release, answered := b.inFlight(r)
		require.NoError(t, r.Kill())
		release()
		answered()
		b.takeOver()
		require.Equal(t, b.finish().Duplicates, b.acknowledgedInHand(r), "all of it is sent again")
	})

	for name, answer := range map[string]bool{"BeforeKafkaHasTheCommit": false, "BeforeTheAnswerToTheCommit": true} {
		t.Run(name, func(t *testing.T) {
			b := set(t, 3)
			b.Config.Delivery.CommitInterval = often
			p := newProxy(t)
			r := b.start(b.through(p))
			b.done(100)
			require.NoError(t, b.AwaitCommitted(b.ctx))
			early := b.acknowledgedTo(r)
			commit := p.hold(commits, answer, []byte(b.Config.Orders.Group))
			b.done(10)
			commit.await(b)
			held := b.acknowledgedTo(r)
			// Commits are made one at a time: what comes now is not committed.
			b.done(50)
			late := b.acknowledgedTo(r) - held
			release, answered := b.inFlight(r)
			require.NoError(t, r.Kill())
			release()
			answered()
			acknowledged := b.acknowledgedTo(r)
			b.takeOver()
			l := b.finish()
			require.GreaterOrEqual(t, l.Duplicates, late, "what was acknowledged since the commit is sent again")
			require.LessOrEqual(t, l.Duplicates, acknowledged-early, "what was committed is not")
		})
	}
}

// A process dies while a dead letter is being written: before Kafka has it, before the process knows that, and before
// the order's outcome is written. In each case the order ends as a dead letter, with its original bytes.
func TestKilledInTheMiddleOfADeadLetter(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]struct{ answer, outcome bool }{
		"BeforeKafkaHasIt":       {},
		"BeforeTheAnswer":        {answer: true},
		"BetweenItAndTheOutcome": {answer: true, outcome: true},
	} {
		t.Run(name, func(t *testing.T) {
			b := set(t, 3)
			p := newProxy(t)
			letter := p.hold(produces, at.answer, b.of(b.Config.DeadLetter.Topic)...)
			r := b.start(b.through(p))
			b.confirm(400)
			letter.await(b)
			if at.outcome {
				outcome := p.hold(produces, false, b.of(b.Config.Outcomes.Topic)...)
				letter.release()
				outcome.await(b)
			}
			require.NoError(t, r.Kill())
			b.takeOver()
			require.Positive(t, b.finish().DeadLetters)
			repeated := 0
			for _, letters := range b.clerk.letters {
				repeated += len(letters) - 1
			}
			t.Logf("%d dead letters were written twice", repeated)
			if at.answer {
				require.Positive(t, repeated, "the process died too early, or too late")
			}
		})
	}
}

// A stop is cut short by a kill while CJ has requests to answer.
func TestKilledDuringDrain(t *testing.T) {
	b := set(t, 3)
	b.Config.Delivery.CommitInterval = seldom
	r := b.start()
	b.done(150)
	release, answered := b.inFlight(r)
	require.NoError(t, r.Terminate(b.ctx))
	require.NoError(t, r.Await(b.ctx, saysStopping, 1))
	require.NoError(t, r.Kill())
	release()
	answered()
	b.takeOver()
	require.Equal(t, b.finish().Duplicates, b.acknowledgedInHand(r), "all of it is sent again")
}

// seedVariable repeats the random kills of an earlier run.
const seedVariable = "CHAOS_SEED"

// A process is killed again and again, wherever it is. It is a static member, so that the group takes it back at once.
func TestKilledAtRandom(t *testing.T) {
	b := set(t, 4)
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, seedVariable)
	}
	t.Logf("%s=%d", seedVariable, seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b.Config.Kafka.InstanceID = "the-one"
	b.Config.Delivery.CommitInterval = often
	b.CJ.Script(cjtest.Rule{Latency: cjtest.Between(0, 20*time.Millisecond)})
	for range 8 {
		b.confirm(200)
		r := b.start()
		// Now and then it dies while it starts.
		if requests := random.IntN(120) - 20; requests > 0 {
			require.NoError(t, b.CJ.Await(b.ctx, func() bool { return b.CJ.Made(r.Name) >= requests }))
		}
		time.Sleep(time.Duration(random.IntN(500)) * time.Millisecond)
		require.NoError(t, r.Kill())
	}
	b.takeOver()
	b.finish()
}

// A process is stopped by SIGSTOP for longer than its session, with orders in hand and a commit on its way. Another
// one takes over. The late commit moves no offset back; when the first process goes on, it finds out that its
// partitions are gone, and comes back to work.
func TestFrozenPastTheSessionTimeout(t *testing.T) {
	b := set(t, 4)
	b.Config.Delivery.CommitInterval = often
	p := newProxy(t)
	first := b.start(b.through(p))
	b.done(150)
	require.NoError(t, b.AwaitCommitted(b.ctx))
	commit := p.hold(commits, false, []byte(b.Config.Orders.Group))
	release, answered := b.inFlight(first)
	commit.await(b)
	require.NoError(t, first.Freeze())
	release()
	answered()
	before := b.CJ.Made(first.Name)
	second := b.start()
	require.NoError(t, b.AwaitOutcomes(b.ctx, standstill))
	require.NoError(t, b.AwaitCommitted(b.ctx))

	commit.release()
	require.NoError(t, first.Thaw())
	// Kafka's client calls it a loss or a revocation, as it is a heartbeat or the late commit that is refused first.
	require.NoError(t, first.Await(b.ctx, saysAssigned, 2))
	late := b.CJ.Made(first.Name) - before
	t.Logf("the frozen process made %d requests before it knew that its partitions were gone", late)
	b.done(200)
	require.Greater(t, b.CJ.Made(first.Name), before+late, "the frozen process does not come back to work")
	require.NotZero(t, b.CJ.Made(second.Name))
	require.Positive(t, b.finish().Duplicates, "the process was frozen with nothing in hand")
}

// A stop that drains in time sends nothing twice, be there ever so much that is not committed.
func TestStopThatDrainsInTimeSendsNothingTwice(t *testing.T) {
	b := set(t, 3)
	b.Config.Delivery.CommitInterval = seldom
	for range 3 {
		r := b.start()
		b.done(100)
		release, _ := b.inFlight(r)
		require.NoError(t, r.Terminate(b.ctx))
		require.NoError(t, r.Await(b.ctx, saysStopping, 1))
		release()
		require.NoError(t, r.AwaitStop(b.ctx))
	}
	b.start()
	l := b.finish()
	require.Zero(t, l.Duplicates)
	require.Zero(t, l.Bound)
}

// The same when another process joins and takes partitions over, and when the first one leaves.
func TestRebalanceThatDrainsInTimeSendsNothingTwice(t *testing.T) {
	b := set(t, 4)
	b.Config.Delivery.CommitInterval = seldom
	first := b.start()
	b.done(150)
	release, _ := b.inFlight(first)
	second := b.start()
	require.NoError(t, first.Await(b.ctx, saysRevoked, 1))
	release()
	require.NoError(t, second.Await(b.ctx, saysAssigned, 1))
	b.done(150)
	require.NotZero(t, b.CJ.Made(second.Name), "the second process has nothing to do")
	release, _ = b.inFlight(first)
	require.NoError(t, first.Terminate(b.ctx))
	require.NoError(t, first.Await(b.ctx, saysStopping, 1))
	release()
	require.NoError(t, first.AwaitStop(b.ctx))
	b.done(50)
	l := b.finish()
	require.Zero(t, l.Duplicates)
	require.Zero(t, l.Bound)
}
