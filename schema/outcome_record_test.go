package schema

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestOutcomeRecord(t *testing.T) {
	t.Parallel()

	at := time.Date(2026, 3, 27, 12, 2, 8, 456e6, time.FixedZone("", 3600))
	readable := OutcomeRecord{
		Group: "cjrelay", Outcome: Unattributed, Reason: ReasonNoClick, OrderID: "ORD-1", EnterpriseID: "1234567", Action: "sale",
		Topic: "order.confirmed", Partition: 3, Offset: 1042, ConfirmedAt: time.Date(2026, 3, 27, 11, 2, 7, 0, time.UTC), At: at,
	}
	unreadable := OutcomeRecord{Group: "cjrelay", Outcome: DeadLetter, Reason: ReasonMalformed, Topic: "order.confirmed", Partition: 3, Offset: 1042, At: at}

	t.Run("HasEveryFieldInOrderWhenTheOrderIsReadable", func(t *testing.T) {
		t.Parallel()
		encoded, err := json.Marshal(readable)
		require.NoError(t, err)
		require.Equal(t, `{"v":1,"group":"cjrelay","outcome":"unattributed","reason":"no_click","order_id":"ORD-1","enterprise_id":"1234567",`+
			`"action":"sale","session_id":"","cjevent":"","topic":"order.confirmed","partition":3,"offset":1042,"attempts":0,"status":0,`+
			`"query_sha256":"","confirmed_at":"2026-03-27T11:02:07.000Z","at":"2026-03-27T11:02:08.456Z"}`, string(encoded))
		require.Equal(t, "1234567|sale|ORD-1", readable.Key())
	})

	t.Run("LeavesOutWhatAnUnreadableOrderDoesNotTell", func(t *testing.T) {
		t.Parallel()
		encoded, err := unreadable.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, `{"v":1,"group":"cjrelay","outcome":"dead_letter","reason":"malformed","topic":"order.confirmed","partition":3,`+
			`"offset":1042,"attempts":0,"status":0,"at":"2026-03-27T11:02:08.456Z"}`, string(encoded))
		require.Equal(t, "order.confirmed|3|1042", unreadable.Key())
	})

	t.Run("ComesBackEqual", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.String().Filter(func(s string) bool { return strings.ToValidUTF8(s, "") == s })
			record := OutcomeRecord{
				Group: text.Draw(t, "group"), Outcome: Kind(rapid.StringMatching(`[a-z_]+`).Draw(t, "kind")), Reason: Reason(text.Draw(t, "reason")),
				OrderID: text.Draw(t, "order"), EnterpriseID: text.Draw(t, "enterprise"), Action: text.Draw(t, "action"),
				SessionID: text.Draw(t, "session"), CJEvent: text.Draw(t, "cjevent"), Topic: text.Draw(t, "topic"),
				Partition: rapid.Int32().Draw(t, "partition"), Offset: rapid.Int64().Draw(t, "offset"),
				Attempts: rapid.Int().Draw(t, "attempts"), Status: rapid.Int().Draw(t, "status"), QuerySHA256: text.Draw(t, "hash"),
				At: time.Unix(0, rapid.Int64Min(0).Draw(t, "at")).UTC(),
			}
			if rapid.Bool().Draw(t, "confirmed") {
				record.ConfirmedAt = record.At.Add(-time.Second)
			}
			encoded, err := record.MarshalJSON()
			require.NoError(t, err)
			again, err := DecodeOutcome(encoded)
			require.NoError(t, err)
			require.Equal(t, record, again)
		})
	})

	t.Run("IgnoresFieldsThatALaterVersionAdds", func(t *testing.T) {
		t.Parallel()
		encoded, err := readable.MarshalJSON()
		require.NoError(t, err)
		again, err := DecodeOutcome([]byte(strings.Replace(string(encoded), `"group"`, `"region":{"a":1},"group"`, 1)))
		require.NoError(t, err)
		require.Equal(t, "ORD-1", again.OrderID)
	})

	for name, test := range map[string]struct{ from, to, text string }{
		"AnotherVersion":  {`"v":1`, `"v":2`, "outcome record v 2: must be 1"},
		"NoVersion":       {`"v":1,`, ``, "outcome record v 0: must be 1"},
		"NoOutcome":       {`"unattributed"`, `""`, "outcome is missing"},
		"NoJSON":          {`}`, ``, "not JSON: the value ends early"},
		"TextForANumber":  {`1042`, `"1042"`, "does not fit"},
		"ABrokenTime":     {`"at":"2026`, `"at":"x2026`, "must be RFC 3339"},
		"AnotherOwnTime":  {`"confirmed_at":"2026`, `"confirmed_at":"x2026`, "must be RFC 3339"},
		"AnOverlongCount": {`"attempts":0`, `"attempts":1e99`, "does not fit"},
	} {
		t.Run("DecodeRefuses"+name, func(t *testing.T) {
			t.Parallel()
			encoded, err := readable.MarshalJSON()
			require.NoError(t, err)
			_, err = DecodeOutcome([]byte(strings.Replace(string(encoded), test.from, test.to, 1)))
			require.ErrorContains(t, err, test.text)
		})
	}
}
