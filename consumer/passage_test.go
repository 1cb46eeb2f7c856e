package consumer

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// ending is an order and how it must end.
type ending struct {
	kind   schema.Kind
	reason schema.Reason
	value  func(id string) string
}

const confirmed = "2026-03-27T11:02:07Z"

// endings has an order for every reason there is. Order ids that begin with "reject" are rejected by CJ.
var endings = []ending{
	{schema.Acknowledged, schema.ReasonCarried, order},
	{schema.Acknowledged, schema.ReasonJoined, joined("s-good")},
	{schema.Unattributed, schema.ReasonNoSession, func(id string) string {
		return fmt.Sprintf(`{"order_id":%q,"confirmed_at":%q,"currency":"USD","amount":"1"}`, id, confirmed)
	}},
	{schema.Unattributed, schema.ReasonNoClick, joined("s-unknown")},
	{schema.Unattributed, schema.ReasonClickAfterOrder, joined("s-later")},
	{schema.Unattributed, schema.ReasonClickExpired, joined("s-expired")},
	{schema.Unattributed, schema.ReasonClickErased, joined("s-erased")},
	{schema.Unattributed, schema.ReasonClickInvalid, joined("s-invalid")},
	{schema.Unattributed, schema.ReasonNoConsent, func(id string) string {
		return fmt.Sprintf(`{"order_id":%q,"confirmed_at":%q,"currency":"USD","amount":"1","consent":false,"cjevent":%q}`, id, confirmed, clickID)
	}},
	{schema.DeadLetter, schema.ReasonMalformed, func(string) string { return "{" }},
	{schema.DeadLetter, schema.ReasonUnknownSchema, func(string) string { return "unknown schema" }},
	{schema.DeadLetter, schema.ReasonInvalidOrder, func(id string) string { return fmt.Sprintf(`{"order_id":%q,"currency":"USD"}`, id) }},
	{schema.DeadLetter, schema.ReasonUnbuildable, func(id string) string { return order(id + " with spaces") }},
	{schema.DeadLetter, schema.ReasonFuture, func(id string) string { return orderAt(id, time.Now().Add(time.Hour)) }},
	{schema.DeadLetter, schema.ReasonRejected, func(id string) string { return order("reject-" + id) }},
}

func joined(session string) func(string) string {
	return func(id string) string {
		return fmt.Sprintf(`{"order_id":%q,"session_id":%q,"confirmed_at":%q,"currency":"USD","amount":"1"}`, id, session, confirmed)
	}
}

func orderAt(id string, at time.Time) string {
	return fmt.Sprintf(`{"order_id":%q,"confirmed_at":%q,"currency":"USD","amount":"22.99","cjevent":%q}`, id, at.UTC().Format(time.RFC3339Nano), clickID)
}

// visit fills the click topic with what the endings need.
func (b *bundle) visit(t *testing.T) {
	at, err := time.Parse(time.RFC3339, confirmed)
	require.NoError(t, err)
	click := func(session, id string, at time.Time) *kgo.Record {
		return &kgo.Record{Topic: b.clicks, Key: []byte(session), Value: []byte(id), Timestamp: at}
	}
	b.Produce(t,
		click("s-good", clickID, at.Add(-time.Hour)),
		click("s-later", clickID, at.Add(time.Second)),
		click("s-expired", clickID, at.Add(-396*24*time.Hour)),
		click("s-erased", clickID, at.Add(-time.Hour)),
		&kgo.Record{Topic: b.clicks, Key: []byte("s-erased")},
		click("s-invalid", "no click id", at.Add(-time.Hour)),
	)
}

// knowNoSchema makes the decoder refuse the records that ask for it.
func (b *bundle) knowNoSchema() {
	decode := b.config.Decode
	b.config.Decode = func(ctx context.Context, value []byte) (*schema.Order, error) {
		if string(value) == "unknown schema" {
			return nil, &schema.InvalidError{Reason: schema.ReasonUnknownSchema, Err: errors.New("schema id 7 is not in the registry")}
		}
		return decode(ctx, value)
	}
}

func TestEveryEndingCompletesItsOffset(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.knowNoSchema()
	b.visit(t)
	b.readClicks(t)
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		if len(id) > 6 && id[:6] == "reject" {
			return rejected
		}
		return acknowledged
	})
	var values []string
	// Only a co-partitioned join can tell that an order is in the wrong partition.
	covered := map[schema.Reason]bool{schema.ReasonWrongPartition: true}
	for _, reason := range slices.Concat(schema.Reasons[schema.Parked], schema.Reasons[schema.Duplicate]) {
		covered[reason] = true // see parking_test.go and judged_test.go
	}
	for i, ending := range endings {
		values = append(values, ending.value(fmt.Sprint("ORD-", i)))
		covered[ending.reason] = true
	}
	for kind, reasons := range schema.Reasons {
		for _, reason := range reasons {
			require.True(t, covered[reason], "no order here ends as %s, %s", kind, reason)
		}
	}
	b.confirm(t, 0, values...)
	r := b.start(t)
	b.requireCommitted(t, 0, int64(len(endings)))
	written := map[int64]schema.OutcomeRecord{}
	for _, outcome := range b.outcomes(t) {
		written[outcome.Offset] = outcome
	}
	for i, ending := range endings {
		outcome := written[int64(i)]
		require.Equal(t, ending.kind, outcome.Outcome, "%s", ending.reason)
		require.Equal(t, ending.reason, outcome.Reason)
		require.Equal(t, b.config.Group, outcome.Group)
		unreadable := ending.reason == schema.ReasonMalformed || ending.reason == schema.ReasonUnknownSchema
		require.Equal(t, unreadable, outcome.OrderID == "", "%s", ending.reason)
		require.EqualValues(t, 1, testutil.ToFloat64(r.metrics.outcomes.WithLabelValues(string(ending.kind), string(ending.reason))), "%s", ending.reason)
		sent := ending.kind == schema.Acknowledged || ending.reason == schema.ReasonRejected
		require.Equal(t, sent, outcome.Attempts == 1, "%s", ending.reason)
	}
	require.Len(t, b.Read(t, b.config.DeadLetterTopic), len(schema.Reasons[schema.DeadLetter])-1)
}

// No path may forget to complete its offset: orders of every kind, answers of every class, in any order.
func TestNoPathForgetsItsOffset(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	b := setup(t, kafkatest.Start(t), 3)
	b.config.MassSamples = 1000 // more than there are: where half of the latest happen to be wrong, they would be held for ever
	b.knowNoSchema()
	b.visit(t)
	b.readClicks(t)
	answers := []postback.Answer{acknowledged, unavailable, wrongSetup, acknowledged, rejected, {Class: postback.Retry, Status: 429, RetryAfter: time.Millisecond, Err: errors.New("CJ answered 429")}}
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		// Another answer at each attempt; which one differs from order to order.
		return answers[(int(id[len(id)-1])+b.cj.attemptsOf(id))%len(answers)]
	})
	counts := [3]int64{}
	for i := range 300 {
		partition := random.Int32N(3)
		b.confirmLater(partition, endings[random.IntN(len(endings))].value(fmt.Sprint("ORD-", i)))
		counts[partition]++
	}
	b.confirmAll(t)
	r := b.start(t)
	for partition, count := range counts {
		b.requireCommitted(t, int32(partition), count)
	}
	require.Zero(t, r.bounds.orders())
	for id, query := range b.cj.queries {
		require.NotEqual(t, "the query changed", query, id)
	}
}

func TestOrderIsTriedAgainUntilItIsAcknowledged(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		switch b.cj.attemptsOf(id) {
		case 1:
			return unavailable
		case 2:
			return wrongSetup
		}
		return acknowledged
	})
	b.confirm(t, 0, order("ORD-1"))
	r := b.start(t)
	b.requireCommitted(t, 0, 1)
	require.Equal(t, 3, b.outcomes(t)["ORD-1"].Attempts)
	require.NotContains(t, b.cj.queries, "the query changed")
	for class, want := range map[postback.Class]float64{postback.Acknowledged: 1, postback.Retry: 1, postback.Setup: 1, postback.Rejected: 0, postback.Cancelled: 0} {
		require.Equal(t, want, testutil.ToFloat64(r.metrics.attempts[class]), class.String())
	}
}

// An answer that says nothing is a bug of the sender. It must neither pass for an acknowledgement nor end the process.
func TestAnswerOfNoClassIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.cj.answers(func(_ context.Context, id string) postback.Answer {
		switch b.cj.attemptsOf(id) {
		case 1:
			return postback.Answer{}
		case 2:
			return postback.Answer{Class: 200}
		}
		return acknowledged
	})
	b.confirm(t, 0, order("ORD-1"))
	r := b.start(t)
	b.requireCommitted(t, 0, 1)
	require.Equal(t, 3, b.outcomes(t)["ORD-1"].Attempts)
	require.EqualValues(t, 2, testutil.ToFloat64(r.metrics.attempts[postback.Setup]))
	require.Contains(t, b.log.String(), "of no known class (200)")
}

func TestIllegalCarriedClickIsCountedAndJoined(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.visit(t)
	b.readClicks(t)
	b.confirm(t, 0, fmt.Sprintf(`{"order_id":"ORD-1","session_id":"s-good","cjevent":"not a click","confirmed_at":%q,"currency":"USD","amount":"1"}`, confirmed))
	r := b.start(t)
	b.requireCommitted(t, 0, 1)
	require.Equal(t, schema.ReasonJoined, b.outcomes(t)["ORD-1"].Reason)
	require.EqualValues(t, 1, testutil.ToFloat64(r.metrics.illegalCarried))
	require.NotContains(t, b.log.String(), "not a click")
}

func TestRegistryOutagePausesAndDeadLettersNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.readClicks(t)
	b.registry.fail(fmt.Errorf("%w: no answer", schema.ErrUnavailable))
	b.confirm(t, 0, orders(ids(3)...)...)
	r := b.start(t)
	// Each order asks again and again, and fetching pauses throughout.
	eventually(t, func() bool { return b.registry.count() >= 15 }, "the registry is not asked again")
	require.True(t, r.pausedFor()[PauseRegistry])
	b.confirm(t, 0, order("ORD-behind"))
	require.Error(t, r.health.registry.current())
	require.Empty(t, b.outcomes(t))
	require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
	require.EqualValues(t, 0, b.committed(t, 0))
	b.registry.fail(nil)
	b.requireCommitted(t, 0, 4)
	require.NoError(t, r.health.registry.current())
	require.Empty(t, r.pausedFor())
	require.Equal(t, 4, b.cj.total())
}

// Orders whose schema is known go on meanwhile. They must not make the outage look over.
func TestRegistryOutageOfOneSchemaStaysVisible(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	b.readClicks(t)
	decode := b.config.Decode
	b.config.Decode = func(ctx context.Context, value []byte) (*schema.Order, error) {
		if string(value) == "new schema" {
			return nil, schema.ErrUnavailable
		}
		return decode(ctx, value)
	}
	b.confirm(t, 0, "new schema")
	r := b.start(t)
	eventually(t, func() bool { return r.health.registry.current() != nil }, "no trouble")
	began := r.health.registry.began()
	b.confirm(t, 1, orders(ids(50)...)...)
	b.requireCommitted(t, 1, 50)
	require.Error(t, r.health.registry.current())
	require.Equal(t, began, r.health.registry.began(), "the outage must not seem to begin anew with each order that fares well")
	r.halt(t)
	require.NoError(t, r.health.registry.current(), "whoever waited is gone with its partition")
	require.EqualValues(t, 0, b.committed(t, 0))
}

func TestOpenBreakerPausesAndAttemptsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.Breaker = breaker.New(breaker.Config{Concurrency: 8, ConsecutiveOrders: 5, Open: time.Minute, Probes: 2})
		b.cj.always(unavailable)
		b.confirm(t, 0, b.pastOrders(20)...)
		r := b.start(t)
		b.awaitState(t, breaker.Open)
		synctest.Wait()
		require.True(t, r.pausedFor()[PauseBreaker])
		attempts := b.cj.total()
		b.confirm(t, 0, orderAt("behind", past()))
		time.Sleep(50 * time.Second)
		require.Equal(t, attempts, b.cj.total(), "an open circuit makes no attempt")
		require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
		require.EqualValues(t, 0, b.committed(t, 0))
		for _, check := range r.Ready() {
			require.NoError(t, check.Err, "an open breaker is not a reason to be unready: %s", check.Name)
		}
		b.cj.always(acknowledged)
		b.requireCommitted(t, 0, 21)
		synctest.Wait()
		require.Empty(t, r.pausedFor())
		require.Equal(t, breaker.Closed, b.config.Breaker.State())
		r.halt(t)
	})
}

func TestRetryAfterIsHonouredAndCapped(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ asked, wait time.Duration }{
		"Honoured": {40 * time.Second, 40 * time.Second},
		"Capped":   {24 * time.Hour, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setupVirtual(t, 1)
				b.config.Concurrency = 1
				b.config.Breaker = breaker.New(breaker.Config{Concurrency: 1})
				held := postback.Answer{Class: postback.Retry, Status: 429, RetryAfter: test.asked, Err: errors.New("CJ answered 429")}
				var first time.Time
				b.cj.answers(func(context.Context, string) postback.Answer {
					if first.IsZero() {
						first = time.Now()
						return held
					}
					if since := time.Since(first); since < test.wait {
						t.Errorf("an attempt after %s", since)
					}
					return acknowledged
				})
				b.confirm(t, 0, b.pastOrders(5)...)
				r := b.start(t)
				eventually(t, func() bool { return b.config.Breaker.Held() }, "nobody holds")
				synctest.Wait()
				require.True(t, r.pausedFor()[PauseRetryAfter])
				b.requireCommitted(t, 0, 5)
				require.Less(t, time.Since(first), test.wait+10*time.Second)
				synctest.Wait()
				require.Empty(t, r.pausedFor())
				r.halt(t)
			})
		})
	}
}

func TestFutureOrderWaitsForItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.config.FutureTolerance = 2 * time.Minute
		due := time.Now().Add(100 * time.Second)
		b.cj.answers(func(_ context.Context, id string) postback.Answer {
			if id == "soon" && time.Now().Before(due) {
				t.Errorf("attempted %s too early", time.Until(due))
			}
			return acknowledged
		})
		b.confirm(t, 0, orderAt("soon", due), orderAt("mistake", time.Now().Add(130*time.Second)), orderAt("now", past()))
		r := b.start(t)
		eventually(t, func() bool { return len(b.outcomes(t)) == 2 }, "the others wait for it")
		require.EqualValues(t, 0, b.committed(t, 0))
		require.Equal(t, schema.ReasonFuture, b.outcomes(t)["mistake"].Reason)
		require.Zero(t, b.cj.attemptsOf("mistake"))
		time.Sleep(time.Until(due) - time.Second)
		require.Zero(t, b.cj.attemptsOf("soon"))
		b.requireCommitted(t, 0, 3)
		require.Equal(t, 1, b.cj.attemptsOf("soon"))
		require.Less(t, time.Since(due), 2*time.Second)
		r.halt(t)
	})
}

// A click that is caught while an order waits for its time is before that time, and counts.
func TestFutureOrderFindsAClickThatCameWhileItWaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setupVirtual(t, 1)
		b.clickDelay = 5 * time.Second
		due := time.Now().Add(time.Minute)
		b.confirm(t, 0,
			fmt.Sprintf(`{"order_id":"soon","session_id":"s-1","confirmed_at":%q,"currency":"USD","amount":"1"}`, due.UTC().Format(time.RFC3339)),
			fmt.Sprintf(`{"order_id":"now","session_id":"s-1","confirmed_at":%q,"currency":"USD","amount":"1"}`, past().UTC().Format(time.RFC3339)))
		r := b.start(t)
		eventually(t, func() bool { return len(b.outcomes(t)) == 1 }, "the first order does not end")
		time.Sleep(time.Until(due) - 50*time.Millisecond)
		b.Produce(t, &kgo.Record{Topic: b.clicks, Key: []byte("s-1"), Value: []byte(clickID), Timestamp: time.Now()})
		b.requireCommitted(t, 0, 2)
		require.Equal(t, schema.ReasonJoined, b.outcomes(t)["soon"].Reason)
		r.halt(t)
	})
}
