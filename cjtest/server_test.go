package cjtest

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStrictServerNamesTheProblems(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.postback(query("CURRENCY=", "CID=abc"))
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Len(t, strings.Split(strings.TrimSpace(got.body), "\n"), 2)
	require.Contains(t, got.body, "CURRENCY is empty")
	received := b.only()
	require.Equal(t, Refused, received.Verdict)
	require.Equal(t, http.StatusBadRequest, received.Status)
	require.Equal(t, got.body, strings.Join(received.Problems, "\n")+"\n")
	require.Equal(t, Summary{Requests: 1, Refused: 1, ByStatus: map[int]int{400: 1}}, b.cj.Summary())
	require.False(t, b.cj.Acknowledged("ORD-2024-001234"))
}

func TestSilentServerAnswersLikeCJ(t *testing.T) {
	t.Parallel()
	b := setup(t, WithSilent())
	require.Equal(t, http.StatusOK, b.postback(query("CURRENCY=")).status)
	require.Equal(t, Refused, b.only().Verdict)
	require.Equal(t, []string{"CURRENCY is empty: leave a parameter out where there is no value (CJ fails an order with an empty CURRENCY)"}, b.only().Problems)
	require.False(t, b.cj.Acknowledged("ORD-2024-001234"), "dropped silently is not booked")
}

func TestReceivedSaysWhatArrived(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 2, 1, 10, 0, 0, 5, time.UTC)
	b := setup(t, WithClock((&clock{at}).Now))
	sent := query("note=a b")
	require.Equal(t, http.StatusOK, b.postback(sent).status)
	received := b.only()
	require.Equal(t, Received{
		At: at, Query: sent, OrderID: "ORD-2024-001234", Action: "398210", EnterpriseID: "1234567", ClickID: clickID,
		Total: "156.97", Status: 200, Verdict: Valid,
	}, received)
	params := received.Params()
	require.Len(t, params, len(base)+1)
	require.Equal(t, Param{"CID", "1234567"}, params[0])
	require.Equal(t, Param{"note", "a b"}, params[len(base)])
	require.Equal(t, "SAVE20", params.Get("coupon"))
	require.Empty(t, params.Get("brand"))
	require.Equal(t, []Received{received}, b.cj.ReceivedOf("ORD-2024-001234"))
	require.Empty(t, b.cj.ReceivedOf("ORD-1"))
	require.True(t, b.cj.Acknowledged("ORD-2024-001234"))
	require.False(t, b.cj.Acknowledged("ORD-2024-001234", "ORD-1"))
	require.True(t, b.cj.Acknowledged())
	require.Equal(t, 1, b.cj.Count())
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	b := setup(t, WithScript(Rule{Next: 1, Status: 503}))
	for _, c := range []struct {
		query   string
		status  int
		verdict Verdict
	}{
		{orderQuery("ORD-1"), 503, Valid},
		{orderQuery("ORD-1"), 200, Valid}, // the first was not acknowledged
		{orderQuery("ORD-1"), 200, Duplicate},
		{query("OID=ORD-1", "COUPON=OTHER"), 200, Duplicate}, // content does not matter to CJ
		{query("OID=ORD-1", "TYPE=2"), 200, Valid},
		{query("OID=ORD-1", "CID=2"), 200, Valid},
		{orderQuery("ord-1"), 200, Valid},
		{query("OID=ORD-1", "CURRENCY="), 400, Refused},
	} {
		require.Equal(t, c.status, b.postback(c.query).status)
		received := b.cj.Received()
		require.Equal(t, c.verdict, received[len(received)-1].Verdict, c.query)
		require.Equal(t, c.status, received[len(received)-1].Status)
	}
	require.Len(t, b.cj.ReceivedOf("ORD-1"), 7)
	require.Equal(t, 503, b.cj.ReceivedOf("ORD-1")[0].Status)
	require.Equal(t, Summary{Requests: 8, Acknowledged: 4, Duplicates: 2, Refused: 1, ByStatus: map[int]int{200: 6, 400: 1, 503: 1}}, b.cj.Summary())
}

func TestDuplicatesInFlightTogether(t *testing.T) {
	t.Parallel()
	cj := New()
	var together sync.WaitGroup
	for range 50 {
		together.Go(func() {
			cj.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/u?"+query(), nil))
		})
	}
	together.Wait()
	require.Equal(t, Summary{Requests: 50, Acknowledged: 1, Duplicates: 49, ByStatus: map[int]int{200: 50}}, cj.Summary())
	valid := 0
	for _, received := range cj.Received() {
		if received.Verdict == Valid {
			valid++
		}
	}
	require.Equal(t, 1, valid)
}

func TestScriptedSuccessDoesNotBookARefusedRequest(t *testing.T) {
	t.Parallel()
	b := setup(t, WithScript(Rule{Status: http.StatusNoContent}))
	require.Equal(t, http.StatusNoContent, b.postback(query("-OID")).status)
	require.Equal(t, http.StatusNoContent, b.postback(query()).status)
	require.Equal(t, Summary{Requests: 2, Acknowledged: 1, Refused: 1, ByStatus: map[int]int{204: 2}}, b.cj.Summary())
}

func TestOnlyGETBooks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.post("/u?"+query(), "")
	require.Equal(t, http.StatusMethodNotAllowed, got.status)
	require.Equal(t, "GET", got.header.Get("Allow"))
	require.Equal(t, []string{"the request must be a GET"}, b.only().Problems)
}

func TestOtherPathsAreNotRecorded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/", "/u/", "/U?" + query(), "//u"} {
		require.Equal(t, http.StatusNotFound, b.get(path).status, path)
	}
	require.Zero(t, b.cj.Count())
}

func TestReset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.postback(query())
	b.cj.Reset()
	require.Equal(t, Summary{ByStatus: map[int]int{}}, b.cj.Summary())
	require.Empty(t, b.cj.Received())
	b.postback(query())
	require.Equal(t, Valid, b.only().Verdict, "a reset forgets what was acknowledged")
}

func TestWait(t *testing.T) {
	t.Parallel()
	t.Run("ReturnsOnArrivalBeforeTheAnswer", func(t *testing.T) {
		t.Parallel()
		b := setup(t, WithScript(Rule{Effect: Hang}))
		ctx, giveUp := context.WithCancel(t.Context())
		var sent sync.WaitGroup
		for i := range 2 {
			sent.Go(func() {
				_, err := b.try(ctx, http.MethodGet, b.cj.Endpoint()+"?"+orderQuery(fmt.Sprint(i)), "")
				require.ErrorIs(t, err, context.Canceled)
			})
		}
		require.NoError(t, b.cj.Wait(t.Context(), 2))
		require.Equal(t, Summary{Requests: 2, ByStatus: map[int]int{0: 2}}, b.cj.Summary())
		giveUp()
		sent.Wait()
	})
	t.Run("EndsWithTheContext", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, New().Wait(ctx, 1), context.Canceled)
	})
	t.Run("GoesOnOverAReset", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			cj := New()
			arrive := func() {
				cj.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/u?"+query(), nil))
				synctest.Wait()
			}
			done := make(chan error, 1)
			go func() { done <- cj.Wait(t.Context(), 2) }()
			arrive()
			cj.Reset()
			synctest.Wait()
			arrive()
			require.Empty(t, done, "one since the reset is not two")
			arrive()
			require.Len(t, done, 1)
			require.NoError(t, <-done)
		})
	})
}

func TestObserverSeesEachRequestOnceWithItsStatus(t *testing.T) {
	t.Parallel()
	seen := make(chan Received, 10)
	b := setup(t, WithObserver(func(r Received) { seen <- r }), WithScript(Rule{Order: "ORD-2", Effect: Cut}))
	b.postback(orderQuery("ORD-1"))
	require.Equal(t, b.cj.ReceivedOf("ORD-1")[0], <-seen)
	_, err := b.try(t.Context(), http.MethodGet, b.cj.Endpoint()+"?"+orderQuery("ORD-2"), "")
	require.Error(t, err)
	require.Zero(t, (<-seen).Status)
	b.postback(query("-OID"))
	require.Equal(t, Refused, (<-seen).Verdict)
	require.Empty(t, seen)
}

func TestCountsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t, WithCountsOnly(), WithObserver(func(Received) { panic("not called") }), WithScript(Rule{Order: "ORD-7", Status: 503}))
	require.Equal(t, http.StatusOK, b.postback("").status)
	require.Equal(t, http.StatusOK, b.postback(query()).status)
	require.Equal(t, http.StatusServiceUnavailable, b.postback(orderQuery("ORD-7")).status)
	require.Equal(t, Summary{Requests: 3, ByStatus: map[int]int{200: 2, 503: 1}}, b.cj.Summary())
	require.Empty(t, b.cj.Received())
	require.NoError(t, b.cj.Wait(t.Context(), 3))
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	const senders, each = 8, 200
	cj := New(WithScript(Rule{Every: 5, Status: 503}))
	var running sync.WaitGroup
	for sender := range senders {
		running.Go(func() {
			for i := range each {
				cj.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/u?"+orderQuery(fmt.Sprintf("ORD-%d-%d", sender, i)), nil))
				switch i % 50 {
				case 0:
					require.NotEmpty(t, cj.Received())
					require.NotZero(t, cj.Count())
				case 1:
					require.NotEmpty(t, cj.ReceivedOf(fmt.Sprintf("ORD-%d-%d", sender, i)))
				case 2:
					require.NoError(t, cj.Wait(t.Context(), i))
				}
			}
		})
	}
	running.Wait()
	const all = senders * each
	require.Equal(t, Summary{Requests: all, Acknowledged: all - all/5, ByStatus: map[int]int{200: all - all/5, 503: all / 5}}, cj.Summary())
}

func TestStartTakesAnAddress(t *testing.T) {
	t.Parallel()
	first := setup(t, WithListen("127.0.0.1:0"))
	_, err := Start(WithListen(strings.TrimPrefix(first.cj.URL(), "http://")))
	require.ErrorContains(t, err, "fake CJ cannot listen")
	require.Equal(t, first.cj.URL()+"/u", first.cj.Endpoint())
	require.Empty(t, New().URL())
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	for _, rule := range []string{"hang", "headers", "latency=24h", "trickle=1/24h"} {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.script(rule)
			done := make(chan error)
			go func() {
				_, err := b.try(t.Context(), http.MethodGet, b.cj.Endpoint()+"?"+query(), "")
				done <- err
			}()
			require.NoError(t, b.cj.Wait(t.Context(), 1))
			b.cj.Close()
			b.cj.Close()
			require.Error(t, <-done)
			require.Equal(t, 1, b.cj.Count(), "what was received stays readable")
		})
	}
}
