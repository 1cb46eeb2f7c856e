package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// confirm produces orders to the shop: one without a click, one that CJ, which is not there, cannot take.
func (s *shop) confirm(t *testing.T) {
	t.Helper()
	order := func(id, click string) *kgo.Record {
		return &kgo.Record{Topic: s.topics["orders"], Key: []byte("s-1"), Value: fmt.Appendf(nil,
			`{"order_id":%q,"session_id":"s-1","confirmed_at":"2026-03-27T11:02:07Z","currency":"USD","amount":"22.99","cjevent":%q}`, id, click)}
	}
	s.kafka.Produce(t, order("ORD-missed", ""), order("ORD-stuck", click))
}

// eventually calls until the answer has the text.
func eventually(t *testing.T, text string, args ...string) result {
	t.Helper()
	var got result
	require.Eventually(t, func() bool {
		got = call(t, "", args...)
		return got.code == exitDone && strings.Contains(strings.ToLower(got.out), strings.ToLower(text))
	}, time.Minute, 50*time.Millisecond, "%q never comes", text)
	return got
}

func TestExplainTellsWhatBecameOfAnOrder(t *testing.T) {
	s := newShop(t)
	listen := s.serve(t, "listen: '127.0.0.1:0'")
	file := s.configuration(t, "listen: '"+listen+"'")
	s.confirm(t)

	missed := eventually(t, "committed\n", "explain", "ORD-missed", "--config", file)
	require.Contains(t, missed.out, "unattributed: no_click")
	require.Contains(t, missed.out, "cjrelay clicks get s-1 --at 2026-03-27T11:02:07.000Z")
	require.Contains(t, missed.out, "seen by the process")

	stuck := eventually(t, "attempt: nothing after", "explain", "ORD-stuck", "--config", file)
	require.Contains(t, stuck.out, "CJEVENT=…")
	require.NotContains(t, stuck.out, click)

	got := call(t, "", "explain", "ORD-missed", "--config", file, "-o", "json")
	var known struct {
		Outcomes []struct {
			Outcome, Reason string
			Committed       bool
		}
		Process []struct{ Steps []struct{ What string } }
	}
	require.NoError(t, json.Unmarshal([]byte(got.out), &known), got.out)
	require.Len(t, known.Outcomes, 1)
	require.Equal(t, "no_click", known.Outcomes[0].Reason)
	require.True(t, known.Outcomes[0].Committed)
	require.Len(t, known.Process, 1)
	require.Equal(t, "read", known.Process[0].Steps[0].What)

	unknown := call(t, "", "explain", "ORD-unknown", "--config", file)
	require.Equal(t, exitFailed, unknown.code)
	require.Contains(t, unknown.err, "not known")

	t.Run("WhereNoProcessRuns", func(t *testing.T) {
		got := call(t, "", "explain", "ORD-missed", "--config", s.configuration(t, "listen: '"+nowhere(t)+"'"))
		require.Equal(t, exitDone, got.code, got.err)
		require.Contains(t, got.out, "unattributed: no_click")
		require.Contains(t, got.out, "no timeline: no process runs")
	})
	t.Run("BeforeTheGroupHasCommittedIt", func(t *testing.T) {
		// The order at offset 1 is stuck, and so is the group: an outcome of it is not committed.
		partition, err := schema.NewPartitioner(schema.PartitionerMurmur2)
		require.NoError(t, err)
		stuckAt := int32(partition([]byte("s-1"), 3))
		outcome := schema.OutcomeRecord{Group: s.topics["orders"], Outcome: schema.Parked, Reason: schema.ReasonKeepsFailing, OrderID: "ORD-parked",
			EnterpriseID: "1234567", Action: "sale", Topic: s.topics["orders"], Partition: stuckAt, Offset: 1}
		value, err := outcome.MarshalJSON()
		require.NoError(t, err)
		s.kafka.Produce(t, &kgo.Record{Topic: s.topics["outcomes"], Key: []byte(outcome.Key()), Value: value})
		require.Contains(t, call(t, "", "explain", "ORD-parked", "--config", file).out, "not committed yet")
	})
	t.Run("UnderAnotherAccountThanNow", func(t *testing.T) {
		// The key of the outcome has the account of its day.
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		other := filepath.Join(t.TempDir(), "cjrelay.yaml")
		require.NoError(t, os.WriteFile(other, bytes.Replace(text, []byte("1234567"), []byte("7"), 1), 0o600))
		got := call(t, "", "explain", "ORD-missed", "--config", other)
		require.Equal(t, exitDone, got.code, got.err)
		require.Contains(t, got.out, "unattributed: no_click")
	})

	t.Run("Status", func(t *testing.T) {
		now := eventually(t, "without outcome", "status", "--config", file)
		require.Contains(t, now.out, "process   ready")
		require.Contains(t, now.out, "group     "+s.topics["orders"]+": Stable, members 1, commit lag 1")
		alone := call(t, "", "status", "--config", s.configuration(t, "listen: '"+nowhere(t)+"'"), "-o", "json")
		require.Equal(t, exitDone, alone.code, alone.err)
		var found status
		require.NoError(t, json.Unmarshal([]byte(alone.out), &found))
		require.Nil(t, found.Process)
		require.Contains(t, found.Trouble, "no process runs")
		require.EqualValues(t, 1, found.Group.Lag)
	})
	t.Run("StatusOfAGroupThatNeverRan", func(t *testing.T) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		young := filepath.Join(t.TempDir(), "cjrelay.yaml")
		require.NoError(t, os.WriteFile(young, bytes.Replace(text, []byte("group: "), []byte("group: young-"), 1), 0o600))
		got := call(t, "", "status", "--config", young)
		require.Equal(t, exitDone, got.code, got.err)
		require.Contains(t, got.out, "group     young-"+s.topics["orders"]+": not there yet, members 0, commit lag 0\n")
	})
	t.Run("StatusWhereKafkaDoesNotAnswer", func(t *testing.T) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		cut := filepath.Join(t.TempDir(), "cjrelay.yaml")
		require.NoError(t, os.WriteFile(cut, bytes.Replace(text, []byte(s.kafka.Brokers[0]), []byte(nowhere(t)), 1), 0o600))
		got := call(t, "", "status", "--config", cut)
		require.Equal(t, exitFailed, got.code, "a script must notice")
		require.Contains(t, got.out, "process   ready")
		require.Contains(t, got.out, "group     not asked: kafka at ")
		require.Contains(t, got.err, "the group could not be asked for")
		require.NotContains(t, got.out, "shard")
		require.NotContains(t, got.out, "DescribeGroups")

		// What the process remembers does not need Kafka.
		known := call(t, "", "explain", "ORD-stuck", "--config", cut)
		require.Equal(t, exitFailed, known.code, "the outcomes topic may know more")
		require.Contains(t, known.out, "seen by the process")
		require.Contains(t, known.out, "no outcomes: kafka at ")
		require.Contains(t, known.err, "kafka at ")
		var found explanation
		require.NoError(t, json.Unmarshal([]byte(call(t, "", "explain", "ORD-stuck", "--config", cut, "-o", "json").out), &found))
		require.Len(t, found.Process, 1)
		require.Contains(t, found.OutcomesTrouble, "kafka at ")
		unknown := call(t, "", "explain", "ORD-unknown", "--config", cut)
		require.Equal(t, exitFailed, unknown.code)
		require.Contains(t, unknown.err, "kafka at ", "not that the order is not known")
	})
	t.Run("WithoutTheOutcomesTopic", func(t *testing.T) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		other := filepath.Join(t.TempDir(), "cjrelay.yaml")
		require.NoError(t, os.WriteFile(other, bytes.Replace(text, []byte("outcomes: {topic: "), []byte("outcomes: {topic: no-"), 1), 0o600))
		got := call(t, "", "explain", "ORD-unknown", "--config", other)
		require.Equal(t, exitFailed, got.code)
		require.Equal(t, "cjrelay: outcomes.topic \"no-"+s.topics["outcomes"]+"\" does not exist: check the name, or make it with `cjrelay topics`\n", got.err)
	})
}
