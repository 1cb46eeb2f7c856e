//go:build kafka

package relay_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/schema"
)

// These tests drive the relay with other people's programs, as a user would: Kafka's own tools and kcat. They
// need a real cluster, and fail without it or without the programs: passing over them would say nothing.

// clickLines are bare clicks of two sessions, one a line behind its key.
func (s *shop) clickLines() string {
	return "s-a|" + clickOf("a") + "\ns-c|" + clickOf("c") + "\n"
}

// orderLines are three orders, of which the first and the last have a click, and something that is none.
func (s *shop) orderLines(t *testing.T) string {
	t.Helper()
	// The clicks above are as old as their records.
	s.now = time.Now().UTC().Truncate(time.Millisecond)
	var text strings.Builder
	for _, name := range []string{"a", "b", "c"} {
		record := s.record(t, s.order("ORD-"+name, "s-"+name))
		fmt.Fprintf(&text, "%s|%s\n", record.Key, record.Value)
	}
	return text.String() + "key-bad|{\"order_id\": \n"
}

// requireThree demands what orderLines must lead to.
func (s *shop) requireThree(t *testing.T) {
	t.Helper()
	b := s.audit(t)
	b.requireAcknowledged(t, s, "ORD-a", clickOf("a"), schema.ReasonJoined)
	b.requireAcknowledged(t, s, "ORD-c", clickOf("c"), schema.ReasonJoined)
	require.Equal(t, schema.ReasonNoClick, b.byID["ORD-b"].Reason)
	require.Equal(t, 2, s.cj.Count())
	require.Len(t, b.letters, 1)
}

// openText is a shop with orders in JSON and bare click ids.
func openText(t *testing.T, options ...cjtest.Option) *shop {
	t.Helper()
	s := open(t, 3, options...)
	s.config.Clicks.Format = config.BareClick
	return s
}

func TestRealConsoleProducerAndConsumer(t *testing.T) {
	t.Parallel()
	s := openText(t)
	keyed := []string{"--reader-property", "parse.key=true", "--reader-property", "key.separator=|"}
	s.kafka.Tool(t, s.clickLines(), "console-producer", append(keyed, "--topic", s.config.Clicks.Topic)...)
	r := s.start(t)
	s.kafka.Tool(t, s.orderLines(t), "console-producer", append(keyed, "--topic", s.config.Orders.Topic)...)
	s.awaitOutcomes(t, 4)
	r.halt(t)

	printed := s.kafka.Tool(t, "", "console-consumer", "--topic", s.config.Outcomes.Topic, "--from-beginning", "--max-messages", "4", "--timeout-ms", "60000")
	require.Len(t, strings.Split(strings.TrimSpace(printed), "\n"), 4)
	letters := s.kafka.Tool(t, "", "console-consumer", "--topic", s.config.DeadLetter.Topic, "--from-beginning", "--max-messages", "1", "--timeout-ms", "60000",
		"--formatter-property", "print.key=true", "--formatter-property", "print.headers=true")
	require.Contains(t, letters, "cjrelay-reason:malformed")
	require.Contains(t, letters, "key-bad\t{\"order_id\": ")
	s.requireThree(t)
}

// outcomeLine is an outcome as somebody reads it who does not know this module.
type outcomeLine struct {
	V       int    `json:"v"`
	Group   string `json:"group"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	OrderID string `json:"order_id"`
	CJEvent string `json:"cjevent"`
	Status  int    `json:"status"`
	At      string `json:"at"`
}

func TestRealKcatProducesAndReadsTheOutcomes(t *testing.T) {
	t.Parallel()
	s := openText(t)
	s.kafka.Kcat(t, s.clickLines(), "-P", "-t", s.config.Clicks.Topic, "-K", "|")
	s.start(t)
	s.kafka.Kcat(t, s.orderLines(t), "-P", "-t", s.config.Orders.Topic, "-K", "|", "-H", "source=kcat")
	s.awaitOutcomes(t, 4)

	lines := map[string]outcomeLine{}
	for line := range strings.Lines(s.kafka.Kcat(t, "", "-C", "-q", "-t", s.config.Outcomes.Topic, "-o", "beginning", "-e", "-f", "%k %s\n")) {
		key, value, _ := strings.Cut(line, " ")
		var outcome outcomeLine
		require.NoError(t, json.Unmarshal([]byte(value), &outcome), line)
		lines[key] = outcome
	}
	require.Len(t, lines, 4)
	acknowledged := lines[enterpriseID+"|sale|ORD-a"]
	require.Equal(t, outcomeLine{V: 1, Group: s.config.Orders.Group, Outcome: "acknowledged", Reason: "joined", OrderID: "ORD-a", CJEvent: clickOf("a"),
		Status: 200, At: acknowledged.At}, acknowledged)
	require.NotEmpty(t, acknowledged.At)
	require.Equal(t, "unattributed", lines[enterpriseID+"|sale|ORD-b"].Outcome)
	letter := s.kafka.Kcat(t, "", "-C", "-q", "-t", s.config.DeadLetter.Topic, "-o", "beginning", "-e", "-f", "%k %s %h\n")
	require.True(t, strings.HasPrefix(letter, `key-bad {"order_id":  source=kcat,cjrelay-reason=malformed,cjrelay-error=`), letter)
	s.requireThree(t)
}

// What Kafka's own tool says of the group is what people look at first.
func TestRealConsumerGroupsToolShowsNoLag(t *testing.T) {
	t.Parallel()
	s := openText(t)
	s.confirm(t, s.many(30, "ORD")...)
	r := s.start(t)
	s.awaitOutcomes(t, 30)
	s.await(t, "everything is committed", func() bool { return s.lag(t) == 0 })
	require.Zero(t, s.toolLag(t, 3))
	r.halt(t)
	require.Zero(t, s.toolLag(t, 3))
	s.confirm(t, s.many(5, "LATER")...)
	require.Equal(t, 5, s.toolLag(t, 3))
	s.start(t)
	s.awaitOutcomes(t, 35)
	s.audit(t)
	require.Equal(t, 35, s.cj.Count())
}

// lag is how far the group is behind the end, asked of Kafka.
func (s *shop) lag(t *testing.T) int64 {
	t.Helper()
	lags, err := s.kafka.Admin.Lag(t.Context(), s.config.Orders.Group)
	require.NoError(t, err)
	group := lags[s.config.Orders.Group]
	require.NoError(t, group.Error())
	return group.Lag.Total()
}

// toolLag is the sum of the column LAG that kafka-consumer-groups prints, which must have that many partitions.
func (s *shop) toolLag(t *testing.T, partitions int) int {
	t.Helper()
	printed := s.kafka.Tool(t, "", "consumer-groups", "--describe", "--group", s.config.Orders.Group)
	column, sum, rows := -1, 0, 0
	for line := range strings.Lines(printed) {
		fields := strings.Fields(line)
		switch {
		case len(fields) > 0 && fields[0] == "GROUP":
			for i, name := range fields {
				if name == "LAG" {
					column = i
				}
			}
		case column >= 0 && len(fields) > column && fields[1] == s.config.Orders.Topic:
			lag := 0
			_, err := fmt.Sscan(fields[column], &lag)
			require.NoError(t, err, printed)
			sum, rows = sum+lag, rows+1
		}
	}
	require.Equal(t, partitions, rows, printed)
	return sum
}
