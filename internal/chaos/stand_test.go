//go:build kafka

package chaos

import (
	"context"
	"hash/fnv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// standstill bounds a time without any progress. It says nothing about speed.
const standstill = 90 * time.Second

// seldom and often are the longest and the shortest commit interval that there is. With the former nearly nothing that
// a process does is committed until it stops.
const (
	seldom = time.Minute
	often  = 50 * time.Millisecond
)

// concurrency is how many requests a process may have under way.
const concurrency = 16

// bench is a stand for one test.
type bench struct {
	*Stand
	t     *testing.T
	ctx   context.Context
	kafka *kafkatest.Cluster
}

// set makes topics, a group and a CJ of the test's own.
func set(t *testing.T, partitions int32) *bench {
	t.Helper()
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	t.Cleanup(cancel)
	kafka := kafkatest.Start(t)
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(t.Name()))
	stand, err := Open(ctx, Options{
		Brokers: kafka.Brokers, Program: program, Dir: t.TempDir(), Seed: seed.Sum64(), Group: kafkatest.Name("group"),
		Orders:     kafka.Topic(t, "order.confirmed", partitions, nil),
		Clicks:     kafka.Topic(t, "cjevent", partitions, map[string]string{"cleanup.policy": "compact,delete", "retention.ms": "-1"}),
		DeadLetter: kafka.Topic(t, "dlq", 1, nil), Outcomes: kafka.Topic(t, "outcomes", 1, nil),
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			for _, r := range stand.Relays() {
				t.Logf("the log of %s ends with:\n%s", r.Name, r.log.tail())
			}
		}
		stand.Close()
	})
	stand.Config.Delivery.Concurrency = concurrency
	return &bench{Stand: stand, t: t, ctx: ctx, kafka: kafka}
}

func (b *bench) confirm(n int) {
	b.t.Helper()
	require.NoError(b.t, b.Confirm(b.ctx, n))
}

func (b *bench) start(changes ...func(*config.Config)) *Relay {
	b.t.Helper()
	r, err := b.Start(changes...)
	require.NoError(b.t, err)
	return r
}

// done confirms orders and waits until they, and all before them, have their outcomes.
func (b *bench) done(n int) {
	b.t.Helper()
	b.confirm(n)
	require.NoError(b.t, b.AwaitOutcomes(b.ctx, standstill))
}

// inFlight confirms orders that CJ is slow to answer, and waits until a process has as many requests under way as it
// may. It returns how to let CJ answer, and how to wait until it has.
func (b *bench) inFlight(r *Relay) (release, answered func()) {
	b.t.Helper()
	release = b.CJ.Hold(func(request Request) bool { return request.Relay == r.Name })
	b.confirm(6 * concurrency)
	require.NoError(b.t, b.CJ.Await(b.ctx, func() bool { return b.CJ.UnderWay(r.Name) == concurrency }), "%s has too few requests under way", r.Name)
	return release, func() {
		b.t.Helper()
		require.NoError(b.t, b.CJ.Await(b.ctx, func() bool { return b.CJ.UnderWay(r.Name) == 0 }))
	}
}

// acknowledgedTo is how many orders CJ has acknowledged to a process.
func (b *bench) acknowledgedTo(r *Relay) int {
	return b.CJ.count(func(request *Request) bool { return request.Relay == r.Name && request.Acknowledged() })
}

// acknowledgedInHand is how many of the orders that a killed process had in hand CJ had acknowledged. It is asked after
// the end.
func (b *bench) acknowledgedInHand(r *Relay) (n int) {
	b.t.Helper()
	books, err := b.Books(b.ctx)
	require.NoError(b.t, err)
	hand := books.inHand(Disturbance{Relay: r.Name, Why: Killed, At: r.killed}, books.byID())
	for _, request := range books.Requests {
		if request.Relay == r.Name && request.Acknowledged() && hand[request.OrderID] {
			n++
		}
	}
	require.Positive(b.t, n, "%s died with nothing in hand", r.Name)
	return n
}

// through makes a process reach Kafka through a proxy.
func (b *bench) through(p *proxy) func(*config.Config) {
	b.t.Helper()
	var brokers []string
	for _, broker := range b.kafka.Brokers {
		address, err := p.via(broker)
		require.NoError(b.t, err)
		brokers = append(brokers, address)
	}
	return func(cfg *config.Config) { cfg.Kafka.Brokers = brokers }
}

// of finds requests about a topic, which has a name and an id.
func (b *bench) of(topic string) [][]byte {
	b.t.Helper()
	topics, err := b.Admin.ListTopics(b.ctx, topic)
	require.NoError(b.t, err)
	require.NoError(b.t, topics.Error())
	id := topics[topic].ID
	return [][]byte{[]byte(topic), id[:]}
}

// takeOver starts a process that does what a killed one has left, and waits until that is committed. That there is an
// outcome already says nothing, then: it may be the killed one's.
func (b *bench) takeOver() {
	b.t.Helper()
	b.start(func(cfg *config.Config) { cfg.Delivery.CommitInterval = often })
	require.NoError(b.t, b.AwaitOutcomes(b.ctx, standstill))
	require.NoError(b.t, b.AwaitCommitted(b.ctx))
}

// finish waits until every order has an outcome, stops what runs, and audits it.
func (b *bench) finish() *Ledger {
	b.t.Helper()
	require.NoError(b.t, b.AwaitOutcomes(b.ctx, standstill))
	for _, r := range b.Relays() {
		if !r.Over() {
			require.NoError(b.t, r.Stop(b.ctx))
		}
	}
	return b.audit()
}

// audit closes the books of a run that is over.
func (b *bench) audit() *Ledger {
	b.t.Helper()
	books, err := b.Books(b.ctx)
	require.NoError(b.t, err)
	l := books.Audit()
	b.t.Logf("orders %d, acknowledged %d, unattributed %d, dead letters %d, lost %d, wrong %d, duplicates %d, bound %d %v, commits %d",
		l.Orders, l.Acknowledged, l.Unattributed, l.DeadLetters, l.Lost, l.Wrong, l.Duplicates, l.Bound, l.BoundBy, l.Commits)
	require.True(b.t, l.Clean(), "%v", l.Findings)
	return l
}

// produces is what the journal sends, commits what the group sends.
const (
	produces = kmsg.Produce
	commits  = kmsg.OffsetCommit
)
