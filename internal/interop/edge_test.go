//go:build kafka

package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/edge"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// shoppers land at an edge, each with a session and a click of its own, and the topic with their clicks is returned. The
// last one is forgotten.
func shoppers(t *testing.T, cluster *kafkatest.Cluster, count int, change func(*config.Config)) string {
	t.Helper()
	const token = "0123456789abcdef"
	cfg := config.Default()
	cfg.Kafka.Brokers, cfg.Clicks.Topic = cluster.Brokers, cluster.Topic(t, "cjevent", 12, map[string]string{"cleanup.policy": "compact,delete"})
	cfg.Capture.Listen, cfg.Capture.AdminListen, cfg.Capture.SpoolDir, cfg.Admin.Token = "127.0.0.1:0", "127.0.0.1:0", t.TempDir(), token
	cfg.Capture.SessionCookie, cfg.Capture.TrustedProxies = "sid", []string{"127.0.0.1"}
	change(&cfg)
	e, err := edge.New(cfg, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { err = e.Run(ctx) })
	transport := &http.Transport{}
	send := func(method, address, header, value, body string, want int) {
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set(header, value)
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode)
	}
	for i := range count {
		send(http.MethodGet, "http://"+e.Addr()+"/?cjevent="+clickOf(i), "Cookie", "sid="+sessionOf(i), "", http.StatusOK)
	}
	send(http.MethodPost, "http://"+e.AdminAddr()+"/sessions/forget", "Authorization", "Bearer "+token, `{"session":"`+sessionOf(count-1)+`"}`, http.StatusNoContent)
	// The edge writes what it has before it ends.
	transport.CloseIdleConnections()
	stop()
	running.Wait()
	require.NoError(t, err)
	return cfg.Clicks.Topic
}

func sessionOf(i int) string { return fmt.Sprintf("s:%d/~%s", i, strings.Repeat("x", i%40)) }
func clickOf(i int) string   { return fmt.Sprintf("%032x", i) }

func TestOthersReadWhatTheEdgeWrites(t *testing.T) {
	t.Parallel()
	cluster := kafkatest.Start(t)
	const count = 100

	t.Run("KcatAndJavaReadJSONWhereJavaWouldHavePutIt", func(t *testing.T) {
		t.Parallel()
		began := time.Now().Add(-time.Millisecond)
		topic := shoppers(t, cluster, count, func(c *config.Config) { c.Clicks.Format = config.JSON })

		// Java puts the same keys into a topic of its own.
		var lines strings.Builder
		for i := range count {
			fmt.Fprintf(&lines, "%s%sv\n", sessionOf(i), separator)
		}
		javas := cluster.Topic(t, "javas", 12, nil)
		javaProducer(t, cluster, javas, lines.String())
		partition := map[string]string{}
		for _, record := range cluster.Read(t, javas) {
			partition[string(record.Key)] = strconv.Itoa(int(record.Partition))
		}

		// -Z shows a null value as NULL.
		printed := cluster.Kcat(t, "", "-C", "-q", "-Z", "-t", topic, "-o", "beginning", "-e", "-f", "%k"+separator+"%s"+separator+"%T"+separator+"%p\n")
		clicks, erased := map[string]string{}, map[string]int{}
		for line := range strings.Lines(printed) {
			fields := strings.Split(strings.TrimSpace(line), separator)
			require.Len(t, fields, 4)
			require.Equal(t, partition[fields[0]], fields[3], fields[0])
			if fields[1] == "NULL" {
				erased[fields[0]]++
				continue
			}
			var click struct {
				CJEvent    string    `json:"cjevent"`
				CapturedAt time.Time `json:"captured_at"`
			}
			require.NoError(t, json.Unmarshal([]byte(fields[1]), &click))
			require.Equal(t, strconv.FormatInt(click.CapturedAt.UnixMilli(), 10), fields[2], "the record's time is the capture's")
			require.WithinRange(t, click.CapturedAt, began, time.Now())
			clicks[fields[0]] = click.CJEvent
		}
		require.Len(t, clicks, count)
		for i := range count {
			require.Equal(t, clickOf(i), clicks[sessionOf(i)])
		}
		require.Equal(t, map[string]int{sessionOf(count - 1): 1}, erased)

		printed = cluster.Tool(t, "", "console-consumer", "--topic", topic, "--from-beginning", "--max-messages", strconv.Itoa(count+1), "--timeout-ms", "60000",
			"--formatter-property", "print.key=true", "--formatter-property", "key.separator="+separator)
		require.Contains(t, printed, sessionOf(7)+separator+`{"cjevent":"`+clickOf(7)+`","captured_at":"`)
		require.Contains(t, printed, sessionOf(count-1)+separator+"null\n")
	})

	t.Run("JavasAvroReadsAvro", func(t *testing.T) {
		t.Parallel()
		registry := kafkatest.Registry(t)
		topic := shoppers(t, cluster, 10, func(c *config.Config) { c.Registry.URL = registry.URL() })
		var values [][]byte
		var records []*kgo.Record
		for _, record := range cluster.Read(t, topic) {
			if record.Value != nil {
				values, records = append(values, record.Value), append(records, record)
			}
		}
		require.Len(t, values, 10)
		for i, read := range java(t).decode(t, clickSchema, values) {
			click := readClick(t, read)
			require.Equal(t, records[i].Timestamp.UTC(), click.CapturedAt)
		}
	})
}
