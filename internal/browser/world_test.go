//go:build browser

package browser_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/edge"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/relay"
)

// longest bounds every wait. It says nothing about speed: a wait ends when what it waits for is there.
const longest = 2 * time.Minute

// world is a merchant with everything: shop, Kafka, relay, and a CJ.
type world struct {
	kafka *kafkatest.Cluster
	cj    *cjtest.Server
	shop  *shop
	// upstream is where the shop itself listens, without the edge.
	upstream *httptest.Server
	config   config.Config
	log      *logText
}

func open(t *testing.T) *world {
	t.Helper()
	w := &world{log: &logText{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of edge and relay:\n%s", w.log)
		}
	})
	kafka := kafkatest.Start(t)
	w.kafka = kafka
	cj, err := cjtest.Start(cjtest.WithEnterpriseIDs("1234567"), cjtest.WithActions("398210"))
	require.NoError(t, err)
	t.Cleanup(cj.Close)
	cfg := config.Default()
	cfg.Kafka.Brokers = kafka.Brokers
	cfg.Orders.Topic = kafka.Topic(t, "order.confirmed", 2, nil)
	cfg.Clicks.Topic = kafka.Topic(t, "cjevent", 2, map[string]string{"cleanup.policy": "compact,delete"})
	cfg.DeadLetter.Topic = kafka.Topic(t, "dlq", 1, nil)
	cfg.Outcomes.Topic = kafka.Topic(t, "outcomes", 1, nil)
	cfg.Orders.Group, cfg.Orders.Format, cfg.Orders.Start = kafkatest.Name("group"), config.JSON, config.StartEarliest
	cfg.Clicks.Format, cfg.Clicks.Dir = config.JSON, t.TempDir()
	cfg.CJ.Endpoint, cfg.CJ.EnterpriseID, cfg.CJ.Actions = cj.Endpoint(), "1234567", map[string]string{"sale": "398210"}
	cfg.Capture.Listen, cfg.Capture.AdminListen, cfg.Capture.SpoolDir = "127.0.0.1:0", "127.0.0.1:0", t.TempDir()
	cfg.Capture.CookieDomain, cfg.Capture.SessionCookie = ".shop.test", "sid"
	w.cj, w.config = cj, cfg
	w.shop = &shop{orders: kafka.Client(t), topic: cfg.Orders.Topic}
	w.upstream = httptest.NewServer(w.shop)
	t.Cleanup(w.upstream.Close)

	processor, err := relay.New(cfg, w.logger("relay"))
	require.NoError(t, err)
	runs(t, processor.Run)
	return w
}

func (w *world) logger(who string) *slog.Logger {
	return slog.New(slog.NewTextHandler(w.log, nil)).With("who", who)
}

// edge starts an edge.
func (w *world) edge(t *testing.T, change func(*config.Capture)) (*edge.Edge, context.CancelFunc) {
	t.Helper()
	cfg := w.config
	change(&cfg.Capture)
	e, err := edge.New(cfg, w.logger("edge"))
	require.NoError(t, err)
	return e, runs(t, e.Run)
}

// runs lets something run until the test ends, or until stop, which returns when it has ended.
func runs(t *testing.T, run func(context.Context) error) (stop context.CancelFunc) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	var err error
	ended.Go(func() { err = run(ctx) })
	stop = func() {
		cancel()
		ended.Wait()
	}
	t.Cleanup(func() {
		stop()
		require.NoError(t, err)
	})
	return stop
}

// written waits until the click topic has a click under a session. An order that is confirmed within the milliseconds
// before that would not find it.
func (w *world) written(t *testing.T, session, click string) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, record := range w.kafka.Read(t, w.config.Clicks.Topic) {
			if string(record.Key) == session && strings.Contains(string(record.Value), click) {
				return true
			}
		}
		return false
	}, longest, 10*time.Millisecond, "the click is not in the topic")
}

// paid waits until CJ has as many postbacks, and returns the click ids in them by order.
func (w *world) paid(t *testing.T, postbacks int) map[string]string {
	t.Helper()
	require.Eventually(t, func() bool { return w.cj.Count() >= postbacks }, longest, 10*time.Millisecond, "CJ gets nothing")
	paid := map[string]string{}
	for _, received := range w.cj.Received() {
		paid[received.OrderID] = received.ClickID
	}
	return paid
}

func get(t *testing.T, client *http.Client, address string) *http.Response {
	t.Helper()
	response, err := client.Get(address)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response
}

// logText is a log that may be read while it is written.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
