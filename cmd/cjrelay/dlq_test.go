package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/letters"
	"github.com/cjrelay/cjrelay/schema"
)

// waiting are the letters that wait.
func (m *merchant) waiting(t *testing.T, more ...string) letterList {
	t.Helper()
	var list letterList
	require.NoError(t, json.Unmarshal([]byte(m.verb(t, exitDone, append([]string{"dlq", "list", "-o", "json"}, more...)...).out), &list))
	return list
}

// A letter's life: CJ rejects an order, somebody looks, CJ is set right, and the order is sent again, once.
func TestDLQFromRejectionToAcknowledgement(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 3)
	m.click(t, "click1", "click2", "click3")
	m.cj.Script(cjtest.Rule{Order: "ORD-1", Status: 400}, cjtest.Rule{Order: "ORD-2", Status: 422})
	m.confirm(t, 1, m.order("ORD-1", "click1"), m.order("ORD-2", "click2"), m.order("ORD-3", "click3"), "{")
	m.run(t)
	m.outcomes(t, 4)

	list := m.waiting(t)
	require.Equal(t, map[string]int{"rejected": 2, "malformed": 1}, list.Waiting)
	require.Len(t, list.Letters, 3)
	require.Len(t, m.waiting(t, "--reason", "malformed").Letters, 1)
	text := m.verb(t, exitDone, "dlq", "list").out
	require.Contains(t, text, "ORD-1")
	require.Contains(t, text, "waiting in "+m.dlq+": 3 (1 malformed, 2 rejected)\n")

	show := m.verb(t, exitDone, "dlq", "show", "ORD-1").out
	require.Contains(t, show, `"order_id": "ORD-1"`)
	require.Contains(t, show, "CJ answered 400")
	require.Contains(t, show, "now           waits\n")

	dry := m.verb(t, exitDone, "dlq", "redrive", "--reason", "rejected").out
	require.Equal(t, "orders to be sent again: 2 (2 rejected)\nnothing was sent: say --execute to send them\n", dry)
	require.Len(t, m.waiting(t).Letters, 3)
	require.Equal(t, 3, m.cj.Count())

	m.cj.Script()
	done := m.verb(t, exitDone, "dlq", "redrive", "--reason", "rejected", "--execute").out
	require.Equal(t, "orders sent again: 2 (2 rejected)\n", done)
	all := m.outcomes(t, 6)
	require.True(t, m.cj.Acknowledged("ORD-1", "ORD-2", "ORD-3"))
	for _, outcome := range all[4:] {
		require.Equal(t, schema.Acknowledged, outcome.Outcome)
		require.EqualValues(t, 1, outcome.Partition)
	}
	require.Equal(t, "orders sent again: 0\n", m.verb(t, exitDone, "dlq", "redrive", "--reason", "rejected", "--execute").out)
	require.Contains(t, m.verb(t, exitFailed, "dlq", "redrive", "ORD-1", "--execute").out, "was sent again at ")
	require.Equal(t, 2, m.waiting(t).Redriven)
	require.Len(t, m.waiting(t, "--redriven").Letters, 3)
	require.Contains(t, m.verb(t, exitDone, "dlq", "show", "ORD-1").out, "now           sent again ")
	require.Equal(t, 5, m.cj.Count())
}

func TestDLQMendedOrderIsAcknowledged(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 1)
	m.click(t, "click1", "click2")
	m.confirm(t, 0, strings.Replace(m.order("ORD-1", "click1"), "22.99", "22,99", 1), strings.Replace(m.order("ORD-2", "click2"), "USD", "$", 1))
	m.run(t)
	m.outcomes(t, 2)
	dir := filepath.Join(t.TempDir(), "letters")
	m.verb(t, exitUsage, "dlq", "export", dir)
	require.NoDirExists(t, dir)
	require.Equal(t, "orders written to "+dir+": 2\n", m.verb(t, exitDone, "dlq", "export", dir, "--raw").out)

	require.Equal(t, "orders to be sent again: 0\n", m.verb(t, exitDone, "dlq", "redrive", "--mended", dir).out)
	mend := func(file, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600))
	}
	mend("0-1.json", m.order("ORD-2", "click2"))
	require.Contains(t, m.verb(t, exitDone, "dlq", "redrive", "--mended", dir, "--limit", "1").out, "orders to be sent again: 1", "not the oldest, which nobody has mended")
	mend("0-0.json", m.order("ORD-1", "click1"))
	require.Contains(t, m.verb(t, exitDone, "dlq", "redrive", "--mended", dir, "--limit", "1").out, "orders to be sent again: 1")
	mend("0-1.json", strings.Replace(m.order("ORD-2", "click2"), "USD", "US", 1))
	got := m.verb(t, exitFailed, "dlq", "redrive", "--mended", dir, "--execute")
	require.Contains(t, got.out, "orders sent again: 1 (1 invalid_order)\nnot sent: 1\n")
	require.Contains(t, got.out, "is no valid order as it was mended: currency")
	all := m.outcomes(t, 3)
	require.Equal(t, schema.Acknowledged, all[2].Outcome)
	require.Equal(t, "ORD-1", all[2].OrderID)

	mend("0-1.json", m.order("ORD-2", "click2"))
	got = m.verb(t, exitFailed, "dlq", "redrive", "--mended", dir, "--execute")
	require.Contains(t, got.out, "orders sent again: 1")
	require.Contains(t, got.out, "was sent again at ")
	m.outcomes(t, 4)
	require.True(t, m.cj.Acknowledged("ORD-1", "ORD-2"))
	require.Equal(t, "orders to be sent again: 0\n", m.verb(t, exitDone, "dlq", "redrive", "--mended", dir, "--limit", "1").out, "a limit counts none that has gone")
}

// An order that is rejected each time goes round three times, and each letter tells so.
func TestDLQOrderDoesNotGoRoundForEver(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 1)
	m.confirm(t, 0, "{")
	m.run(t)
	m.outcomes(t, 1)
	for round := 1; round <= letters.MaxRedrives; round++ {
		m.verb(t, exitDone, "dlq", "redrive", "--all", "--execute")
		m.outcomes(t, 1+round)
		list := m.waiting(t).Letters
		require.Len(t, list, 1)
		require.Equal(t, round, list[0].Redrives)
		require.EqualValues(t, 0, list[0].Origin.Offset)
	}
	require.Contains(t, m.verb(t, exitFailed, "dlq", "redrive", "--all", "--execute").out, "was sent again 3 times and came back each time")
	m.outcomes(t, 1+letters.MaxRedrives)
	m.verb(t, exitDone, "dlq", "redrive", "--all", "--execute", "--force")
	m.outcomes(t, 2+letters.MaxRedrives)
}

// Where orders and clicks are co-partitioned a stray order goes home.
func TestDLQStrayOrderGoesToItsSessionsPartition(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 3, "join: copartitioned")
	sessions := make([]string, 600)
	for i := range sessions {
		sessions[i] = fmt.Sprint("click", i)
	}
	m.click(t, sessions...)
	partition, err := schema.NewPartitioner(schema.PartitionerMurmur2)
	require.NoError(t, err)
	home := int32(partition([]byte("click1"), 3))
	m.confirm(t, (home+1)%3, m.order("ORD-1", "click1"))
	m.run(t)
	require.Equal(t, schema.ReasonWrongPartition, m.outcomes(t, 1)[0].Reason)
	m.verb(t, exitDone, "dlq", "redrive", "ORD-1", "--execute")
	outcome := m.outcomes(t, 2)[1]
	require.Equal(t, schema.Acknowledged, outcome.Outcome)
	require.Equal(t, home, outcome.Partition)
}

// What is private stays so, whichever verb is asked.
func TestDLQShowsNothingPrivate(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 1)
	const click, mail = "b7f2a9d4c1e836b0f92d4a1c5e7b8a39", "ann@example.com"
	m.confirm(t, 0, fmt.Sprintf(`{"order_id":"ORD-1","session_id":%q,"confirmed_at":"2026-03-27T11:02:07Z","currency":"$","amount":"1","cjevent":%q,"email":%q,
		"attributes":{"x":%q}}`, mail, click, mail, click), fmt.Sprintf(`{"cjevent":%q,"email":%q`, click, mail))
	m.run(t)
	m.outcomes(t, 2)
	for _, args := range [][]string{{"list"}, {"show", "ORD-1", "0/1"}, {"redrive", "--all"}} {
		for _, form := range []string{"text", "json"} {
			got := m.verb(t, exitDone, append(append([]string{"dlq"}, args...), "-o", form)...)
			for _, private := range []string{click, mail} {
				require.NotContains(t, got.out+got.err, private)
			}
		}
	}
	// Which of the two was written first is chance.
	got := m.verb(t, exitDone, "dlq", "show", "0/0", "0/1")
	require.Contains(t, got.out, "bytes that are not JSON)")
}

// What the dead-letter topic did not take cannot be exported, and nobody should think that it was.
func TestDLQExportSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 1)
	record := &kgo.Record{Topic: m.dlq}
	for name, value := range map[string]string{"reason": "too_large", "topic": m.orders, "partition": "0", "offset": "7", "bytes": "2000000", "sha256": "abc"} {
		record.Headers = append(record.Headers, kgo.RecordHeader{Key: "cjrelay-" + name, Value: []byte(value)})
	}
	m.kafka.Produce(t, record)
	got := m.verb(t, exitDone, "dlq", "export", filepath.Join(t.TempDir(), "letters"), "--raw")
	require.Contains(t, got.out, ": 0\n")
	require.Contains(t, got.err, "left out, as the dead-letter topic did not take their value: 1")
	require.Contains(t, m.verb(t, exitDone, "dlq", "show", "0/0").out, "not here: its 2000000 bytes, with SHA-256 abc, did not fit")
}

// Whether a mended order is valid nobody knows while the registry is away: it does not go.
func TestDLQMendedOrdersWaitForTheRegistry(t *testing.T) {
	t.Parallel()
	letter := letters.Letter{Place: letters.Place{Topic: "dlq"}}
	d := &desk{decode: func(context.Context, []byte) (*schema.Order, error) {
		return nil, fmt.Errorf("%w: no answer", schema.ErrUnavailable)
	}}
	report := redriveReport{Redriven: []letters.Letter{letter}}
	require.ErrorIs(t, d.judgeMended(t.Context(), &report, map[letters.Place]letters.Mended{letter.Place: {}}), schema.ErrUnavailable)
	require.NoError(t, d.judgeMended(t.Context(), &report, nil), "what is not mended was judged before")
}

func TestDLQFlagsSayWhichLetters(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 27, 12, 0, 0, 0, time.UTC)
	began := time.Now()
	selection, err := dlqChoice{Reason: []string{"parked", "too_large"}, Since: "P1D", Until: "2026-03-27T12:00:00.000", Limit: 7}.selection()
	require.NoError(t, err)
	require.WithinRange(t, selection.Since, began.Add(-24*time.Hour), time.Now().Add(-24*time.Hour))
	selection.Since = time.Time{}
	require.Equal(t, letters.Selection{Reasons: []string{"parked", "too_large"}, Until: noon, Limit: 7}, selection)
	at, err := pointInTime("12h", noon)
	require.NoError(t, err)
	require.Equal(t, noon.Add(-12*time.Hour), at)
}

func TestDLQMistakes(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 1)
	for name, test := range map[string]struct {
		code int
		args []string
		text string
	}{
		"WhichLetters":    {exitUsage, []string{"redrive"}, "which letters?"},
		"UnknownReason":   {exitUsage, []string{"list", "--reason", "rejectd"}, `"rejectd": must be one of malformed, `},
		"BadTime":         {exitUsage, []string{"list", "--since", "yesterday"}, "must be like 2026-03-27T11:02:07.000"},
		"NegativeLimit":   {exitUsage, []string{"list", "--limit=-1"}, "must be 1 or more"},
		"NoSuchLetter":    {exitFailed, []string{"show", "ORD-9"}, `"ORD-9"`},
		"NoSuchExport":    {exitUsage, []string{"redrive", "--mended", t.TempDir()}, "has no manifest.json"},
		"AllAndNothing":   {exitDone, []string{"redrive", "--all", "--execute"}, ""},
		"SinceADuration":  {exitDone, []string{"list", "--since", "P1D", "--until", "2099-01-01T00:00:00.000"}, ""},
		"SeveralReasons":  {exitDone, []string{"list", "--reason", "rejected,parked", "--reason", "too_large"}, ""},
		"OnlySince":       {exitDone, []string{"redrive", "--since", "P1D"}, ""},
		"OnlyUntil":       {exitDone, []string{"redrive", "--until", "P1D"}, ""},
		"OnlyALimit":      {exitDone, []string{"redrive", "--limit", "1"}, ""},
		"ExportOfNothing": {exitDone, []string{"export", filepath.Join(t.TempDir(), "x"), "--raw"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, m.verb(t, test.code, append([]string{"dlq"}, test.args...)...).err, test.text)
		})
	}
	t.Run("NoTopic", func(t *testing.T) {
		t.Parallel()
		text, err := os.ReadFile(m.file)
		require.NoError(t, err)
		file := filepath.Join(t.TempDir(), "cjrelay.yaml")
		require.NoError(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), m.dlq, kafkatest.Name("missing"))), 0o600))
		got := call(t, "", "dlq", "list", "--config", file)
		require.Equal(t, exitFailed, got.code)
		require.Contains(t, got.err, "does not exist: make it with `cjrelay topics`")
	})
}
