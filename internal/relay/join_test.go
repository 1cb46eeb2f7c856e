package relay_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
)

func TestOrderWithClickIsAcknowledgedAndCommitted(t *testing.T) {
	t.Parallel()
	s := open(t, 3)
	s.visited(t, s.hourAgo("s-1"))
	s.confirm(t, s.order("ORD-1", "s-1"), s.order("ORD-2", "s-unknown"))
	r := s.start(t)
	s.awaitOutcomes(t, 2)
	s.await(t, "it is committed while the relay runs", func() bool {
		sum := int64(0)
		for _, offset := range s.committed(t) {
			sum += offset
		}
		return sum == 2
	})
	s.await(t, "no lag is left", func() bool { return r.Lag() == consumer.Lag{} })
	s.await(t, "ready", func() bool {
		for _, check := range r.Ready() {
			if check.Err != nil {
				return false
			}
		}
		return true
	})
	require.Equal(t, breaker.Closed, r.Breaker())
	require.EqualValues(t, 1, r.metric(t, "cjrelay_outcomes_total", "outcome", "acknowledged", "reason", "joined"))
	require.EqualValues(t, 1, r.metric(t, "cjrelay_outcomes_total", "outcome", "unattributed", "reason", "no_click"))
	require.EqualValues(t, 1, r.metric(t, "cjrelay_attempts_total", "class", "acknowledged"))

	b := s.audit(t)
	b.requireAcknowledged(t, s, "ORD-1", clickOf("s-1"), schema.ReasonJoined)
	require.Equal(t, 1, b.byID["ORD-1"].Attempts)
	require.Equal(t, "40.98", s.cj.Received()[0].Total)
	require.Equal(t, schema.ReasonNoClick, b.byID["ORD-2"].Reason)
	require.Equal(t, "s-unknown", b.byID["ORD-2"].SessionID)
	require.Equal(t, 1, s.cj.Count())
}

func TestThousandOrdersOverTwelvePartitions(t *testing.T) {
	t.Parallel()
	s := open(t, 12)
	var orders []*schema.Order
	var visits []visit
	for i := range 1000 {
		session := fmt.Sprintf("s-%d", i)
		if i%2 == 0 {
			visits = append(visits, s.hourAgo(session))
		}
		orders = append(orders, s.order(fmt.Sprintf("ORD-%d", i), session))
	}
	s.visited(t, visits...)
	s.confirm(t, orders...)
	s.start(t)
	s.awaitOutcomes(t, 1000)
	b := s.audit(t)
	require.Equal(t, 500, s.cj.Count())
	for i, o := range orders {
		if i%2 == 0 {
			b.requireAcknowledged(t, s, o.ID, clickOf(o.SessionID), schema.ReasonJoined)
		}
	}
}

// What a session's clicks and the order itself say decides which click counts, or why none does.
func TestJoin(t *testing.T) {
	t.Parallel()
	s := open(t, 4)
	window := s.config.Clicks.Window
	ago := func(session string, d time.Duration) visit {
		return visit{session, clickOf(fmt.Sprint(session, d)), s.now.Add(-d)}
	}
	tombstone := func(session string) *kgo.Record {
		return &kgo.Record{Topic: s.config.Clicks.Topic, Key: []byte(session), Timestamp: s.now}
	}
	illegal := func(session string) *kgo.Record {
		return s.click(t, visit{session, "no-click", s.now.Add(-time.Minute)})
	}
	refused, allowed := false, true
	own := clickOf("own")
	cases := []struct {
		name   string
		clicks []*kgo.Record // of the session named after the case
		change func(*schema.Order)
		reason schema.Reason
		click  string // which counts; empty when none does
	}{
		{name: "NoSession", change: func(o *schema.Order) { o.SessionID = "" }, reason: schema.ReasonNoSession},
		{name: "NoClick", reason: schema.ReasonNoClick},
		{name: "ClickAfterOrder", clicks: []*kgo.Record{s.click(t, ago("ClickAfterOrder", -time.Second))}, reason: schema.ReasonClickAfterOrder},
		{name: "ClickExpired", clicks: []*kgo.Record{s.click(t, ago("ClickExpired", window+time.Millisecond))}, reason: schema.ReasonClickExpired},
		{name: "ClickErased", clicks: []*kgo.Record{s.click(t, ago("ClickErased", time.Hour)), tombstone("ClickErased")}, reason: schema.ReasonClickErased},
		{name: "ClickInvalid", clicks: []*kgo.Record{illegal("ClickInvalid")}, reason: schema.ReasonClickInvalid},
		{name: "NoConsent", clicks: []*kgo.Record{s.click(t, ago("NoConsent", time.Hour))},
			change: func(o *schema.Order) { o.Consent, o.CJEvent = &refused, own }, reason: schema.ReasonNoConsent},

		{name: "Consent", clicks: []*kgo.Record{s.click(t, ago("Consent", time.Hour))}, change: func(o *schema.Order) { o.Consent = &allowed },
			reason: schema.ReasonJoined, click: ago("Consent", time.Hour).click},
		{name: "ClickAtTheOrdersInstant", clicks: []*kgo.Record{s.click(t, ago("ClickAtTheOrdersInstant", 0))},
			reason: schema.ReasonJoined, click: ago("ClickAtTheOrdersInstant", 0).click},
		{name: "ClickAsOldAsTheWindow", clicks: []*kgo.Record{s.click(t, ago("ClickAsOldAsTheWindow", window))},
			reason: schema.ReasonJoined, click: ago("ClickAsOldAsTheWindow", window).click},
		{name: "LatestClickBeforeTheOrder", reason: schema.ReasonJoined, click: ago("LatestClickBeforeTheOrder", time.Minute).click,
			clicks: []*kgo.Record{s.click(t, ago("LatestClickBeforeTheOrder", time.Minute)), s.click(t, ago("LatestClickBeforeTheOrder", time.Hour)),
				s.click(t, ago("LatestClickBeforeTheOrder", -time.Minute))}},
		{name: "ClickAfterErasure", reason: schema.ReasonJoined, click: ago("ClickAfterErasure", time.Minute).click,
			clicks: []*kgo.Record{s.click(t, ago("ClickAfterErasure", time.Hour)), tombstone("ClickAfterErasure"), s.click(t, ago("ClickAfterErasure", time.Minute))}},
		{name: "BadClickBehindAGoodOne", clicks: []*kgo.Record{s.click(t, ago("BadClickBehindAGoodOne", time.Hour)), illegal("BadClickBehindAGoodOne")},
			reason: schema.ReasonJoined, click: ago("BadClickBehindAGoodOne", time.Hour).click},
		{name: "OwnClickWins", clicks: []*kgo.Record{s.click(t, ago("OwnClickWins", time.Minute))}, change: carrying(own),
			reason: schema.ReasonCarried, click: own},
		{name: "OwnClickNeedsNoSession", change: func(o *schema.Order) { o.SessionID, o.CJEvent = "", own }, reason: schema.ReasonCarried, click: own},
		{name: "IllegalOwnClickFallsBackToTheJoin", clicks: []*kgo.Record{s.click(t, ago("IllegalOwnClickFallsBackToTheJoin", time.Hour))},
			change: carrying("not a click id"), reason: schema.ReasonJoined, click: ago("IllegalOwnClickFallsBackToTheJoin", time.Hour).click},
		{name: "IllegalOwnClickAndNoOther", change: carrying("n/a"), reason: schema.ReasonNoClick},
	}
	hits := 0
	for _, c := range cases {
		s.kafka.Produce(t, c.clicks...)
		o := s.order(c.name, c.name)
		if c.change != nil {
			c.change(o)
		}
		s.confirm(t, o)
		if c.click != "" {
			hits++
		}
	}
	r := s.start(t)
	s.awaitOutcomes(t, len(cases))
	require.EqualValues(t, 2, r.metric(t, "cjrelay_carried_clicks_illegal_total"))
	require.EqualValues(t, 2, r.metric(t, "cjrelay_clicks_total", "result", "malformed"))
	require.EqualValues(t, 2, r.metric(t, "cjrelay_clicks_total", "result", "erased"))
	b := s.audit(t)
	require.Equal(t, hits, s.cj.Count())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.click != "" {
				b.requireAcknowledged(t, s, c.name, c.click, c.reason)
				return
			}
			require.Equal(t, schema.Unattributed, b.byID[c.name].Outcome)
			require.Equal(t, c.reason, b.byID[c.name].Reason)
			require.Empty(t, b.byID[c.name].CJEvent)
			require.Zero(t, b.byID[c.name].Attempts)
		})
	}
}

// No order is judged before the table has read every click that was there when the order was read.
func TestClickProducedJustBeforeItsOrderCounts(t *testing.T) {
	t.Parallel()
	s := open(t, 3)
	s.start(t)
	const orders = 60
	for i := range orders {
		session := fmt.Sprintf("s-%d", i)
		s.kafka.Produce(t, s.click(t, s.hourAgo(session)))
		s.confirm(t, s.order(fmt.Sprintf("ORD-%d", i), session))
	}
	s.awaitOutcomes(t, orders)
	b := s.audit(t)
	for i := range orders {
		b.requireAcknowledged(t, s, fmt.Sprintf("ORD-%d", i), clickOf(fmt.Sprintf("s-%d", i)), schema.ReasonJoined)
	}
}

// Clocks differ. An order from a little ahead waits for its time, in nobody's way.
func TestOrderConfirmedALittleAheadWaitsForItsTime(t *testing.T) {
	t.Parallel()
	s := open(t, 1)
	soon := time.Now().Add(time.Second)
	at := func(id string, confirmed time.Time) *schema.Order {
		return s.order(id, "", carrying(clickOf(id)), func(o *schema.Order) { o.ConfirmedAt = confirmed })
	}
	s.confirm(t, at("ORD-FAR", soon.Add(10*time.Minute)), at("ORD-SOON", soon), at("ORD-NOW", s.now))
	r := s.start(t)
	s.awaitOutcomes(t, 2)
	s.await(t, "one order waits", func() bool { return r.metric(t, "cjrelay_pending_orders") == 1 })
	r.halt(t)
	s.requireSent(t, []string{"ORD-SOON", "ORD-NOW"})
	require.False(t, s.cj.ReceivedOf("ORD-SOON")[0].At.Before(soon))
	require.Zero(t, s.committed(t)[0])
}

func TestClickFormats(t *testing.T) {
	t.Parallel()
	for _, format := range []string{config.Avro, config.JSON, config.BareClick} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := open(t, 2)
			s.useAvro(t)
			s.config.Clicks.Format = format
			s.visited(t, s.hourAgo("s-1"), visit{"s-2", clickOf("s-2"), s.now.Add(time.Second)})
			s.confirm(t, s.order("ORD-1", "s-1"), s.order("ORD-2", "s-2"))
			s.start(t)
			s.awaitOutcomes(t, 2)
			b := s.audit(t)
			b.requireAcknowledged(t, s, "ORD-1", clickOf("s-1"), schema.ReasonJoined)
			require.Equal(t, schema.ReasonClickAfterOrder, b.byID["ORD-2"].Reason, "a click's time is its own, or its record's")
			require.Equal(t, 1, s.cj.Count())
		})
	}
}
