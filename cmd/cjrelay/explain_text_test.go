package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/schema"
)

func TestExplainSaysWhatCanBeDone(t *testing.T) {
	t.Parallel()
	const redrive, look = "cjrelay dlq redrive", "cjrelay clicks get s-1 --at"
	for kind, says := range map[schema.Kind]string{
		schema.Parked: redrive, schema.DeadLetter: redrive, schema.Unattributed: look, schema.Acknowledged: "", schema.Duplicate: "",
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			outcome := explainedOutcome{OutcomeRecord: schema.OutcomeRecord{Outcome: kind, SessionID: "s-1"}}
			require.NoError(t, writeExplanation(&out, explanation{OrderID: "ORD-1", Outcomes: []explainedOutcome{outcome}}))
			for _, hint := range []string{redrive, look} {
				require.Equal(t, hint == says, strings.Contains(out.String(), hint), out.String())
			}
		})
	}
}

// What was sent again needs no redrive: its later outcome says how it stands.
func TestExplainLeavesWhatWasSentAgainAlone(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	one := func(kind schema.Kind) explainedOutcome {
		return explainedOutcome{OutcomeRecord: schema.OutcomeRecord{Outcome: kind, SessionID: "s-1"}}
	}
	require.NoError(t, writeExplanation(&out, explanation{OrderID: "ORD-1", Outcomes: []explainedOutcome{one(schema.DeadLetter), one(schema.Acknowledged)}}))
	require.NotContains(t, out.String(), "redrive")
	out.Reset()
	require.NoError(t, writeExplanation(&out, explanation{OrderID: "ORD-1", Outcomes: []explainedOutcome{one(schema.Unattributed), one(schema.DeadLetter)}}))
	require.Contains(t, out.String(), "redrive")
	require.NotContains(t, out.String(), "clicks get")
}
