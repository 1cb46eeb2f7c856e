package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// script reads rules as a user of the fake CJ writes them.
func script(t *testing.T, text string) []cjtest.Rule {
	t.Helper()
	rules, err := cjtest.ParseScript(text)
	require.NoError(t, err)
	return rules
}

// Each order here meets one kind of trouble twice, then CJ recovers.
func TestTroubleThatPassesIsTriedAgainUntilAcknowledged(t *testing.T) {
	t.Parallel()
	troubles := map[string]string{
		"ORD-408": "status=408", "ORD-425": "status=425", "ORD-429": "status=429", "ORD-500": "status=500", "ORD-502": "status=502",
		"ORD-503": "html status=503", "ORD-504": "status=504", "ORD-507": "status=507", "ORD-CUT": "cut", "ORD-MALFORMED": "malformed",
		"ORD-RESET": "reset", "ORD-HANG": "hang",
	}
	s := open(t, 3)
	// One order waits twice for all of it. With less of it a busy machine misses answers that CJ has given.
	s.config.CJ.Timeout = 5 * time.Second
	text := ""
	var orders []*schema.Order
	for id, trouble := range troubles {
		text += fmt.Sprintf("order=%s next=2 %s\n", id, trouble)
		orders = append(orders, s.order(id, "", carrying(clickOf(id))))
	}
	s.cj.Script(script(t, text)...)
	s.confirm(t, orders...)
	s.start(t)
	s.awaitOutcomes(t, len(orders))
	// The audit compares every query with the one hash in the outcome: they are the same, byte for byte.
	b := s.audit(t)
	for id := range troubles {
		t.Run(id, func(t *testing.T) {
			b.requireAcknowledged(t, s, id, clickOf(id), schema.ReasonCarried)
			requests := s.cj.ReceivedOf(id)
			require.GreaterOrEqual(t, len(requests), 3)
			if id == "ORD-RESET" {
				// HTTP itself repeats a request whose kept connection turns out to be dead.
				require.LessOrEqual(t, b.byID[id].Attempts, len(requests))
			} else {
				require.Equal(t, len(requests), b.byID[id].Attempts)
			}
			for _, request := range requests[:len(requests)-1] {
				require.NotEqual(t, 2, request.Status/100)
			}
		})
	}
	require.Empty(t, b.letters)
}

// A 2xx counts whatever else comes with it.
func TestEvery2xxIsAnAcknowledgement(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"ORD-200": "status=200", "ORD-HTML": "html", "ORD-EMPTY": "empty", "ORD-201": "status=201", "ORD-202": "status=202", "ORD-204": "status=204",
		"ORD-SLOW": "trickle=1/100ms", "ORD-NOBODY": "headers", "ORD-RETRYAFTER": "status=200 retry-after=3600",
	}
	s := open(t, 2)
	text := ""
	var orders []*schema.Order
	for id, answer := range answers {
		text += fmt.Sprintf("order=%s %s\n", id, answer)
		orders = append(orders, s.order(id, "", carrying(clickOf(id))))
	}
	s.cj.Script(script(t, text)...)
	s.confirm(t, orders...)
	s.start(t)
	s.awaitOutcomes(t, len(orders))
	b := s.audit(t)
	require.Equal(t, len(answers), s.cj.Count())
	for id := range answers {
		b.requireAcknowledged(t, s, id, clickOf(id), schema.ReasonCarried)
		require.Equal(t, 1, b.byID[id].Attempts, id)
	}
}

// Answers that blame the order end it, at once.
func TestRejectedOrderEndsAsDeadLetter(t *testing.T) {
	t.Parallel()
	statuses := []int{400, 402, 409, 410, 413, 414, 415, 422, 431, 451}
	s := open(t, 2)
	text := "order=LATER next=1 status=503\norder=LATER status=422\n"
	orders := []*schema.Order{s.order("LATER", "", carrying(clickOf("later"))), s.order("GOOD", "", carrying(clickOf("good")))}
	for _, status := range statuses {
		id := fmt.Sprintf("ORD-%d", status)
		text += fmt.Sprintf("order=%s status=%d body=%q\n", id, status, "OID "+id+" is bad")
		orders = append(orders, s.order(id, "", carrying(clickOf(id))))
	}
	s.cj.Script(script(t, text)...)
	s.confirm(t, orders...)
	s.start(t)
	s.awaitOutcomes(t, len(orders))
	b := s.audit(t)
	require.Equal(t, len(orders)+1, s.cj.Count(), "no rejected order is sent again")
	require.Equal(t, len(statuses)+1, len(b.letters))
	b.requireAcknowledged(t, s, "GOOD", clickOf("good"), schema.ReasonCarried)
	require.Equal(t, 2, b.byID["LATER"].Attempts)
	require.Equal(t, 422, b.byID["LATER"].Status)
	for _, status := range statuses {
		outcome := b.byID[fmt.Sprintf("ORD-%d", status)]
		require.Equal(t, schema.DeadLetter, outcome.Outcome)
		require.Equal(t, schema.ReasonRejected, outcome.Reason)
		require.Equal(t, status, outcome.Status)
		require.Equal(t, 1, outcome.Attempts)
		headers := headersOf(b.letters[place{outcome.Partition, outcome.Offset}].Headers)
		require.Equal(t, fmt.Sprint(status), headers["cjrelay-status"])
		require.Contains(t, headers["cjrelay-error"], fmt.Sprint(status))
		require.NotContains(t, headers["cjrelay-error"], outcome.OrderID, "what CJ's answer says may repeat the query")
	}
}

// Answers that blame our set-up are nobody's fault: the orders wait until it is put right.
func TestWrongSetUpNeverCostsAnOrder(t *testing.T) {
	t.Parallel()
	s := open(t, 2)
	text := ""
	var orders []*schema.Order
	for _, answer := range []string{"redirect=" + s.cj.URL() + "/elsewhere", "status=301", "status=304", "status=307", "status=401", "status=403",
		"status=404", "status=405", "status=407"} {
		id := fmt.Sprintf("ORD-%d", len(orders))
		text += fmt.Sprintf("order=%s %s\n", id, answer)
		orders = append(orders, s.order(id, "", carrying(clickOf(id))))
	}
	s.cj.Script(script(t, text)...)
	s.confirm(t, orders...)
	r := s.start(t)
	for _, o := range orders {
		s.await(t, o.ID+" is tried again and again", func() bool { return len(s.cj.ReceivedOf(o.ID)) >= 4 })
	}
	require.Empty(t, s.kafka.Read(t, s.config.DeadLetter.Topic))
	require.Empty(t, s.kafka.Read(t, s.config.Outcomes.Topic))
	require.NotZero(t, r.metric(t, "cjrelay_attempts_total", "class", "setup"))
	for _, offset := range s.committed(t) {
		require.Zero(t, offset)
	}

	s.cj.Script()
	s.awaitOutcomes(t, len(orders))
	b := s.audit(t)
	require.Empty(t, b.letters)
	for _, o := range orders {
		b.requireAcknowledged(t, s, o.ID, o.CJEvent, schema.ReasonCarried)
		for _, request := range s.cj.ReceivedOf(o.ID)[:4] {
			require.NotEqual(t, 2, request.Status/100)
		}
	}
}

// Retry-After holds back every order, not only the one that was told.
func TestRetryAfterHoldsBackAllAttempts(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.cj.Script(script(t, "order=ORD-1 next=1 status=429 retry-after=2")...)
	s.confirm(t, s.order("ORD-1", "", carrying(clickOf("1"))))
	r := s.start(t)
	s.await(t, "fetching pauses for CJ", func() bool { return r.metric(t, "cjrelay_paused", "reason", "retry_after") == 1 })
	s.confirm(t, s.order("ORD-2", "", carrying(clickOf("2"))), s.order("ORD-3", "", carrying(clickOf("3"))))
	s.awaitOutcomes(t, 3)
	s.await(t, "fetching resumes", func() bool { return r.metric(t, "cjrelay_paused", "reason", "retry_after") == 0 })
	b := s.audit(t)
	require.Equal(t, 2, b.byID["ORD-1"].Attempts)
	received := s.cj.Received()
	require.Len(t, received, 4)
	require.GreaterOrEqual(t, received[1].At.Sub(received[0].At), 2*time.Second)
}

// A Retry-After of a year is a mistake that must not stop delivery for a year.
func TestRetryAfterIsCapped(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.config.CJ.RetryAfterCap = 100 * time.Millisecond
	s.cj.Script(script(t, "next=1 status=503 retry-after=31536000; next=1 status=429 retry-after=+48h; next=1 status=503 retry-after=soon")...)
	s.confirm(t, s.order("ORD-1", "", carrying(clickOf("1"))))
	s.start(t)
	s.awaitOutcomes(t, 1)
	b := s.audit(t)
	require.Equal(t, 4, b.byID["ORD-1"].Attempts)
	require.Equal(t, 4, s.cj.Count())
}

// The real CJ answers 200 and says nothing; the relay cannot know better, but it must say what it sent.
func TestOutcomeRecordsTheQueryThatWasSent(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	s.config.CJ.Signature = "secret-signature"
	s.confirm(t, s.order("ORD-1", "", carrying(clickOf("1"))))
	r := s.start(t)
	s.awaitOutcomes(t, 1)
	s.audit(t)
	require.Equal(t, "secret-signature", s.cj.Received()[0].Params().Get("SIGNATURE"))
	require.NotContains(t, r.log.String(), "secret-signature")
	require.NotContains(t, r.log.String(), clickOf("1"))
}
