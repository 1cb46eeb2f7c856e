package relay_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// ledgerOrders says how many orders the ledger has; a number in LEDGER_ORDERS overrides it.
const ledgerOrders = 2000

// entry is one order of the ledger and how it must end.
type entry struct {
	record *kgo.Record
	kind   schema.Kind
	reason schema.Reason
	// id, click and total are what CJ must receive, empty when it must receive nothing.
	id, click, total string
}

// Every order of a large, mixed lot ends as it must, once, while one request in ten fails.
func TestLedgerOfMixedOrders(t *testing.T) {
	t.Parallel()
	n := ledgerOrders
	if text := os.Getenv("LEDGER_ORDERS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(t, err, "LEDGER_ORDERS")
	}
	s := open(t, 12)
	s.useAvro(t)
	s.cj.Script(cjtest.Rule{Latency: cjtest.Fixed(20 * time.Millisecond)})
	flaky := &flakyCJ{CJ: s.cj, random: rand.New(rand.NewPCG(1, 0))}
	server := httptest.NewServer(flaky)
	t.Cleanup(server.Close)
	s.config.CJ.Endpoint = server.URL + cjtest.Path

	lot := newLot(s, n)
	orders := make([]*kgo.Record, n)
	for i := range orders {
		orders[i] = lot.draw(t, i).record
	}
	s.kafka.Produce(t, lot.clicks...)
	s.kafka.Produce(t, orders...)
	began := time.Now()
	r := s.start(t)
	for done := 0; done < n; {
		done = min(n, done+5000)
		s.awaitOutcomes(t, done)
	}
	took := time.Since(began)
	b := s.audit(t)

	counts := map[schema.Kind]int{}
	for i, e := range lot.entries {
		outcome := b.byPlace[placeOf(e.record)]
		counts[outcome.Outcome]++
		require.Equal(t, e.kind, outcome.Outcome, "order %d", i)
		require.Equal(t, e.reason, outcome.Reason, "order %d", i)
		require.Equal(t, e.click, outcome.CJEvent, "order %d", i)
		if e.kind != schema.Acknowledged {
			continue
		}
		received := s.cj.ReceivedOf(e.id)
		require.Len(t, received, 1, e.id)
		require.Equal(t, cjtest.Valid, received[0].Verdict, e.id)
		require.Equal(t, e.click, received[0].ClickID, e.id)
		require.Equal(t, e.total, received[0].Total, e.id)
	}
	require.Equal(t, counts[schema.Acknowledged], s.cj.Count(), "CJ received nothing else")
	require.Zero(t, r.metric(t, "cjrelay_commits_total", "result", "failed"))
	t.Logf("ledger: %d orders in %.1f s, %.0f orders/s: %d acknowledged, %d unattributed, %d dead letters; %d requests, of which %d failed; lost 0, wrong 0, duplicates 0",
		n, took.Seconds(), float64(n)/took.Seconds(), counts[schema.Acknowledged], counts[schema.Unattributed], counts[schema.DeadLetter],
		s.cj.Count()+flaky.failed, flaky.failed)
}

// flakyCJ fails one request in ten before CJ sees it: half with a status, half with a broken connection.
type flakyCJ struct {
	CJ http.Handler

	mu     sync.Mutex
	random *rand.Rand
	failed int
}

func (f *flakyCJ) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	drawn := f.random.IntN(20)
	if drawn < 2 {
		f.failed++
	}
	f.mu.Unlock()
	switch drawn {
	case 0:
		w.WriteHeader(http.StatusServiceUnavailable)
	case 1:
		panic(http.ErrAbortHandler)
	default:
		f.CJ.ServeHTTP(w, r)
	}
}

// lot makes the orders of the ledger and the clicks that some of them need.
type lot struct {
	shop    *shop
	random  *rand.Rand
	entries []entry
	clicks  []*kgo.Record
}

func newLot(s *shop, n int) *lot {
	return &lot{shop: s, random: rand.New(rand.NewPCG(2, uint64(n)))}
}

// draw makes order i. Its id and session tell its number, and everything else is drawn.
func (l *lot) draw(t *testing.T, i int) entry {
	t.Helper()
	s := l.shop
	session := fmt.Sprintf("s-%d", i)
	o, total := l.order(i, session)
	own, refused := clickOf(session), false
	e := entry{kind: schema.Unattributed}
	var damage func(value []byte) []byte
	switch drawn := l.random.IntN(100); {
	case drawn < 60:
		l.clicks = append(l.clicks, s.click(t, s.hourAgo(session)))
		if drawn < 10 {
			// Later clicks of the same session do not count for this order.
			l.clicks = append(l.clicks, s.click(t, visit{session, clickOf("later" + session), s.now.Add(time.Second)}))
		}
		e = entry{kind: schema.Acknowledged, reason: schema.ReasonJoined, id: o.ID, click: own, total: total}
	case drawn < 70:
		o.CJEvent = own
		e = entry{kind: schema.Acknowledged, reason: schema.ReasonCarried, id: o.ID, click: own, total: total}
	case drawn < 77:
		e.reason = schema.ReasonNoClick
	case drawn < 80:
		o.SessionID = ""
		e.reason = schema.ReasonNoSession
	case drawn < 83:
		l.clicks = append(l.clicks, s.click(t, visit{session, own, s.now.Add(time.Second)}))
		e.reason = schema.ReasonClickAfterOrder
	case drawn < 86:
		o.CJEvent, o.Consent = own, &refused
		e.reason = schema.ReasonNoConsent
	case drawn < 90:
		l.clicks = append(l.clicks, &kgo.Record{Topic: s.config.Clicks.Topic, Key: []byte(session), Value: []byte("bad")})
		e.reason = schema.ReasonClickInvalid
	case drawn < 92:
		damage = func(value []byte) []byte { return value[:9] }
		e = entry{kind: schema.DeadLetter, reason: schema.ReasonMalformed}
	case drawn < 94:
		damage = func(value []byte) []byte { value[4] = 99; return value }
		e = entry{kind: schema.DeadLetter, reason: schema.ReasonUnknownSchema}
	case drawn < 97:
		o.Discount = money("100000")
		e = entry{kind: schema.DeadLetter, reason: schema.ReasonInvalidOrder}
	default:
		o.CJEvent, o.Items[0].SKU = own, "SKU 1"
		e = entry{kind: schema.DeadLetter, reason: schema.ReasonUnbuildable}
	}
	e.record = s.record(t, o)
	if damage != nil {
		e.record.Value = damage(e.record.Value)
	}
	l.entries = append(l.entries, e)
	return e
}

// order is a valid order of one to three items, and its total.
func (l *lot) order(i int, session string) (o *schema.Order, total string) {
	o = l.shop.order(fmt.Sprintf("ORD-%d", i), session)
	o.Items = nil
	sum := schema.Money{}
	for line := range 1 + l.random.IntN(3) {
		item := schema.Item{
			SKU: fmt.Sprintf("SKU-%d", line), Quantity: 1 + l.random.Int64N(4),
			UnitPrice: money(fmt.Sprintf("%d.%02d", 1+l.random.IntN(500), l.random.IntN(100))),
			Discount:  money(fmt.Sprintf("0.%02d", l.random.IntN(50))),
		}
		o.Items = append(o.Items, item)
		sum = sum.Add(item.UnitPrice.Mul(item.Quantity)).Sub(item.Discount)
	}
	o.Discount = money(fmt.Sprintf("0.%02d", l.random.IntN(50)))
	return o, sum.Sub(o.Discount).String()
}
