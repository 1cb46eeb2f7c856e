package consumer

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// atOnce makes the mass rules try what they hold every few milliseconds.
func atOnce(c *Consumer) {
	for _, rule := range c.rules {
		rule.config.pace = 5 * time.Millisecond
	}
}

func TestRejectionsOfEverythingAreHeldUntilTheCauseIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	b.config.MassWait = time.Hour // too few samples, as after a rebalance, let nothing go
	b.cj.always(rejected)
	b.confirm(t, 0, orders(ids(30)...)...)
	b.confirm(t, 1, orders(idsFrom(30, 30)...)...)
	r := b.startWith(t, atOnce)
	eventually(t, func() bool { return r.rules[stageCJ].state().Held == 60 }, "not all are held")
	require.Error(t, r.check(t, "cj"))
	eventually(t, func() bool { return b.cj.total() > 80 }, "not tried again")
	require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
	// Partitions go to another instance and come back.
	other := b.startWith(t, atOnce)
	eventually(t, func() bool { return len(other.allLives()) == 1 && r.rules[stageCJ].state().Held == 30 }, "no rebalance")
	other.halt(t)
	eventually(t, func() bool { return len(r.allLives()) == 2 && r.rules[stageCJ].state().Held == 60 }, "not held again")
	b.cj.always(acknowledged)
	b.requireCommitted(t, 0, 30)
	b.requireCommitted(t, 1, 30)
	require.NoError(t, r.check(t, "cj"))
	require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
	require.Zero(t, r.rules[stageCJ].state().Held)
	eventually(t, func() bool { return r.bounds.orders() == 0 }, "an order is left")
}

// An order is a sample of each stage that it passes, and of no other.
func TestOrdersAreSamplesOfTheStagesTheyPass(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.visit(t)
	b.readClicks(t)
	b.confirm(t, 0, order("carried"), joined("s-good")("joined"), joined("s-unknown")("missed"))
	r := b.start(t)
	b.requireCommitted(t, 0, 3)
	samples := map[stage]int{}
	for _, at := range stages {
		samples[at] = r.rules[at].state().Latest
	}
	require.Equal(t, map[stage]int{stageDecode: 3, stagePartition: 2, stageBuild: 2, stageCJ: 2}, samples)
	require.NotEmpty(t, b.outcomes(t)["joined"].QuerySHA256)
}

// Whoever sends rejected orders again is likely to see them rejected again: that says nothing about the set-up.
func TestRedrivenOrdersAreNoSamples(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	for i, value := range []string{order("good"), "{", order("spaces in its id"), order("reject")} {
		b.Produce(t, &kgo.Record{Topic: b.config.Topic, Value: []byte(value), Headers: []kgo.RecordHeader{{Key: HeaderRedrives, Value: []byte(strconv.Itoa(i + 1))}}})
	}
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		if id == "reject" {
			return rejected
		}
		return acknowledged
	})
	r := b.start(t)
	b.requireCommitted(t, 0, 4)
	require.Len(t, b.Read(t, b.config.DeadLetterTopic), 3)
	for _, at := range stages {
		require.Zero(t, r.rules[at].state().Latest, at)
	}
	b.confirm(t, 0, order("first"))
	b.requireCommitted(t, 0, 5)
	require.Equal(t, 1, r.rules[stageCJ].state().Latest)
}

func TestUnreadableTopicIsHeldUntilItCanBeRead(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.registry.fail(&schema.InvalidError{Reason: schema.ReasonUnknownSchema, Err: context.DeadlineExceeded})
	b.config.MaxPendingPerPartition = 100
	b.confirm(t, 0, orders(ids(300)...)...)
	r := b.startWith(t, atOnce)
	eventually(t, func() bool { return r.pausedFor()[PauseMassRule] }, "reads on for ever")
	require.ErrorContains(t, r.check(t, "decode"), "20 of the latest 20 orders could not be read")
	b.registry.fail(nil)
	b.requireCommitted(t, 0, 300)
	require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
	require.False(t, r.pausedFor()[PauseMassRule])
}

// waitingNow is how many candidates wait for another one.
func (d *duplicates) waitingNow() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.underWay {
		n += len(one.waiting)
	}
	return n
}

func TestTheSameOrderTwiceIsADuplicate(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	sending, answer := b.cj.hold()
	b.confirm(t, 0, orders("ORD-1", "ORD-1")...)
	b.confirm(t, 1, orders("ORD-1")...)
	r := b.start(t)
	<-sending
	eventually(t, func() bool { return r.duplicates.waitingNow() == 2 }, "its twins do not wait")
	require.Equal(t, 1, b.cj.total())
	close(answer)
	b.requireCommitted(t, 0, 2)
	b.requireCommitted(t, 1, 1)
	b.confirm(t, 1, orders("ORD-1")...)
	b.requireCommitted(t, 1, 2)
	require.Equal(t, 1, b.cj.total())
	kinds := map[schema.Kind]int{}
	for _, one := range b.Read(t, b.config.OutcomesTopic) {
		outcome, err := schema.DecodeOutcome(one.Value)
		require.NoError(t, err)
		kinds[outcome.Outcome]++
	}
	require.Equal(t, map[schema.Kind]int{schema.Acknowledged: 1, schema.Duplicate: 3}, kinds)
}

// The same order with other content is not sent either, as CJ keeps what it got first; but that is flagged.
func TestChangedContentOfADuplicateIsFlagged(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.start(t)
	for offset, value := range []string{order("ORD-1"), order("ORD-1"), strings.Replace(order("ORD-1"), "22.99", "23.99", 1)} {
		b.confirm(t, 0, value)
		b.requireCommitted(t, 0, int64(offset+1))
	}
	require.Equal(t, 1, b.cj.total())
	var reasons []schema.Reason
	for _, one := range b.Read(t, b.config.OutcomesTopic) {
		outcome, err := schema.DecodeOutcome(one.Value)
		require.NoError(t, err)
		reasons = append(reasons, outcome.Reason)
	}
	require.Equal(t, []schema.Reason{schema.ReasonCarried, schema.ReasonRepeated, schema.ReasonChanged}, reasons)
	require.Equal(t, 1, b.log.count("comes again with other content"))
}

func TestWhereTheFirstIsRejectedItsTwinIsSent(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	calls := make(chan struct{}, 10)
	b.cj.answers(func(context.Context, string) postback.Answer {
		calls <- struct{}{}
		if len(calls) == 1 {
			return rejected
		}
		return acknowledged
	})
	b.confirm(t, 0, orders("ORD-1", "ORD-1")...)
	b.start(t)
	b.requireCommitted(t, 0, 2)
	require.Len(t, b.Read(t, b.config.DeadLetterTopic), 1)
	require.Equal(t, 2, b.cj.total())
}
