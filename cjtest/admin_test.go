package cjtest

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAdminReceived(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.postback(orderQuery("ORD-1"))
	b.postback(query("OID=ORD-2", "CURRENCY="))
	b.postback(orderQuery("ORD-1"))

	lines := func(path string) (received []Received) {
		got := b.get(path)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "application/jsonl", got.header.Get("Content-Type"))
		for line := range strings.Lines(got.body) {
			var one Received
			require.NoError(t, json.Unmarshal([]byte(line), &one))
			received = append(received, one)
		}
		return received
	}
	require.Equal(t, b.cj.Received(), lines("/_cjtest/received"))
	require.Equal(t, b.cj.ReceivedOf("ORD-1"), lines("/_cjtest/received?order=ORD-1"))
	require.Empty(t, lines("/_cjtest/received?order=ORD-3"))
	require.Equal(t, 3, b.cj.Count(), "looking is not receiving")
}

// TestAdminReceivedForm holds the JSON that scripts depend on.
func TestAdminReceivedForm(t *testing.T) {
	t.Parallel()
	b := setup(t, WithClock((&clock{time.Date(2024, 2, 1, 10, 0, 0, 0, time.UTC)}).Now))
	sent := query("CURRENCY=")
	b.postback(sent)
	require.Equal(t, `{"at":"2024-02-01T10:00:00Z","order_id":"ORD-2024-001234","action":"398210","enterprise_id":"1234567","cjevent":"`+clickID+
		`","total":"156.97","status":400,"verdict":"refused","problems":["CURRENCY is empty: leave a parameter out where there is no value (CJ fails an order with an empty CURRENCY)"],"query":"`+sent+"\"}\n",
		b.get("/_cjtest/received").body)
}

func TestAdminSummaryForm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.postback(orderQuery("ORD-1"))
	b.postback(orderQuery("ORD-1"))
	b.postback(query("-OID"))
	got := b.get("/_cjtest/summary")
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	require.Equal(t, `{"requests":3,"acknowledged":1,"duplicates":1,"refused":1,"by_status":{"200":2,"400":1}}`+"\n", got.body)
}

func TestAdminScript(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.post("/_cjtest/script", "order=ORD-7 status=400\nnext=1 status=503 retry-after=2")
	require.Equal(t, http.StatusOK, got.status)
	require.Equal(t, "order=ORD-7 status=400\nnext=1 status=503 retry-after=2\n", got.body)
	require.Equal(t, 400, b.postback(orderQuery("ORD-7")).status)
	require.Equal(t, 503, b.postback(orderQuery("ORD-8")).status)

	got = b.post("/_cjtest/script", "ok; boil")
	require.Equal(t, http.StatusBadRequest, got.status)
	require.Contains(t, got.body, "script rule 2: boil is no word")
	require.Equal(t, 400, b.postback(orderQuery("ORD-7")).status, "the old script goes on")

	require.Equal(t, http.StatusBadRequest, b.post("/_cjtest/script", strings.Repeat("ok;", maxScriptBytes)).status)

	require.Equal(t, http.StatusOK, b.post("/_cjtest/script", "").status)
	require.Equal(t, 200, b.postback(orderQuery("ORD-7")).status, "an empty script is none")
}

func TestAdminReset(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.postback(query())
	require.Equal(t, http.StatusNoContent, b.post("/_cjtest/reset", "").status)
	require.Zero(t, b.cj.Count())
}

func TestAdminRefusesOtherMethodsAndPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.get("/_cjtest/reset")
	require.Equal(t, http.StatusMethodNotAllowed, got.status)
	require.Equal(t, "POST", got.header.Get("Allow"))
	require.Equal(t, http.StatusMethodNotAllowed, b.post("/_cjtest/summary", "").status)
	require.Equal(t, http.StatusNotFound, b.get("/_cjtest/").status)
	require.Equal(t, http.StatusNotFound, b.get("/_cjtest/received/1").status)
}
