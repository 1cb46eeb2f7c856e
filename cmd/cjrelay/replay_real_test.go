//go:build kafka

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/replay"
	"github.com/cjrelay/cjrelay/schema"
)

// reset runs Kafka's own kafka-consumer-groups --reset-offsets and returns the column NEW-OFFSET by partition.
func (m *merchant) reset(t *testing.T, args ...string) map[int32]int64 {
	t.Helper()
	printed := m.kafka.Tool(t, "", "consumer-groups", append([]string{"--group", m.orders, "--topic", m.orders, "--reset-offsets"}, args...)...)
	offsets := map[int32]int64{}
	for line := range strings.Lines(printed) {
		fields := strings.Fields(line)
		if len(fields) < 4 || fields[0] != m.orders || fields[1] != m.orders {
			continue
		}
		var partition int32
		var offset int64
		_, err := fmt.Sscan(fields[2]+" "+fields[3], &partition, &offset)
		require.NoError(t, err, printed)
		offsets[partition] = offset
	}
	require.NotEmpty(t, offsets, printed)
	return offsets
}

// Where a replay begins is where Kafka's own tool would set the group to, said in the same words.
func TestRealReplayBeginsWhereKafkasToolSays(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 2)
	began := time.Now().Add(-3 * time.Hour).UTC().Truncate(time.Second)
	client := m.kafka.Client(t, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for i := range 20 {
		for partition := range int32(2) {
			require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: m.orders, Partition: partition,
				Value: []byte(m.order(fmt.Sprintf("ORD-%d-%d", i, partition), "")), Timestamp: began.Add(time.Duration(i) * 10 * time.Minute)}).FirstErr())
		}
	}
	m.done(t, 40)
	exported := filepath.Join(t.TempDir(), "offsets.csv")
	text := m.kafka.Tool(t, "", "consumer-groups", "--group", m.orders, "--topic", m.orders, "--reset-offsets", "--to-offset", "7", "--export", "--dry-run")
	require.NoError(t, os.WriteFile(exported, []byte(text), 0o600))
	at := began.Add(35*time.Minute + 500*time.Millisecond)
	for _, args := range [][]string{
		{"--to-earliest"},
		{"--to-datetime", at.Format("2006-01-02T15:04:05.000")},
		{"--to-datetime", at.Format("2006-01-02T15:04:05.000Z")},
		{"--to-datetime", at.In(time.FixedZone("", 2*3600)).Format("2006-01-02T15:04:05.000-07:00")},
		{"--to-datetime", at.In(time.FixedZone("", -5*3600)).Format("2006-01-02T15:04:05.000-07")},
		{"--to-datetime", "2000-01-01T00:00:00.000"},
		{"--by-duration", "PT1H35M"},
		{"--by-duration", "P0DT1H5M2.5S"},
		{"--by-duration", "P9D"},
		{"--to-offset", "13"},
		{"--to-offset", "0"},
		{"--shift-by", "-5"},
		{"--shift-by", "-500"},
		{"--from-file", exported},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			want := m.reset(t, append(args, "--dry-run")...)
			report := m.replays(t, args...)
			got := map[int32]int64{}
			for _, p := range report.Partitions {
				got[p.Partition] = p.From
			}
			require.Equal(t, want, got)
		})
	}
}

// Kafka's own tool sets the live group back, and a relay does all again from there: it joins anew.
func TestRealResetOffsetsReplaysAndJoinsAgain(t *testing.T) {
	t.Parallel()
	m := history(t, 2)
	m.click(t, "late2")
	require.Equal(t, int64(1), m.reset(t, "--shift-by", "-5", "--execute")[0])
	// What cjrelay says of it is what then happens.
	m.done(t, 11)
	var again []string
	for _, outcome := range m.outcomes(t, 11)[6:] {
		again = append(again, fmt.Sprintf("%s %s", outcome.OrderID, outcome.Outcome))
	}
	require.ElementsMatch(t, []string{"ORD-2 acknowledged", "ORD-3 acknowledged", " dead_letter", "ORD-4 unattributed", "ORD-5 acknowledged"}, again)
	require.Len(t, m.cj.ReceivedOf("ORD-1"), 1)
	require.Len(t, m.cj.ReceivedOf("ORD-5"), 2)
	require.EqualValues(t, 6, m.stands(t, m.orders))
}

// A replay's two groups can be seen with Kafka's own tool while it is under way.
func TestRealReplaysPlanIsThereToSee(t *testing.T) {
	t.Parallel()
	m := history(t, 2)
	plan, err := replay.Resolve(t.Context(), m.kafka.Admin, m.orders, m.orders, replay.Bounds{Scenario: replay.ToOffset(2), UntilOffset: -1})
	require.NoError(t, err)
	group := replay.GroupOf(m.orders, "night")
	require.NoError(t, replay.Keep(t.Context(), m.kafka.Admin, group, plan, replay.Mode{}))
	printed := m.kafka.Tool(t, "", "consumer-groups", "--list")
	require.Contains(t, printed, group+"\n")
	require.Contains(t, printed, group+".end\n")
	m.click(t, "late2")
	report := m.replays(t, "--resume", "night", "--execute")
	require.Equal(t, replay.Result{schema.Acknowledged: {schema.ReasonJoined: 1}}, report.Result, "ORD-2 lies before")
	require.NotContains(t, m.kafka.Tool(t, "", "consumer-groups", "--list"), group)
}
