package qa

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/cjrelay/cjrelay/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// now is when every test runs.
var now = time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)

const testClick = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39"

func setupOf(account Account) Setup {
	return Setup{Account: account, ClickID: testClick, Version: "v1.2.3", Clock: func() time.Time { return now }}
}

// rehearsed is a run that was rehearsed, after a change of it.
func rehearsed(t *testing.T, account Account, scenarios []Scenario, change ...func(*Run)) *Run {
	t.Helper()
	run, err := New(setupOf(account), scenarios)
	require.NoError(t, err)
	for _, change := range change {
		change(run)
	}
	require.NoError(t, run.Rehearse(t.Context()))
	require.Len(t, run.Results, len(scenarios))
	return run
}

func (r *Run) resultOf(t *testing.T, name string) *Result {
	t.Helper()
	for i := range r.Results {
		if r.Results[i].Name == name {
			return &r.Results[i]
		}
	}
	require.Fail(t, "no scenario "+name)
	return nil
}

func bothReports(t *testing.T, run *Run) (html, markdown string) {
	t.Helper()
	var h, m strings.Builder
	require.NoError(t, run.WriteHTML(&h))
	require.NoError(t, run.WriteMarkdown(&m))
	return h.String(), m.String()
}

func readOrders(t *testing.T, text string) []*schema.Order {
	t.Helper()
	orders, err := ReadOrders(context.Background(), "orders.json", []byte(text), jsonDecoder(t))
	require.NoError(t, err)
	return orders
}

func jsonDecoder(t *testing.T) schema.OrderDecoder {
	t.Helper()
	decode, err := schema.NewOrderDecoder(schema.FormatJSON, nil)
	require.NoError(t, err)
	return decode
}
