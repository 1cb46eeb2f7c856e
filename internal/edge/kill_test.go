//go:build kafka

package edge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// A Kafka and an edge that are killed outright, again and again, under a load of landings: no page fails while the edge
// lives, and with the durable setting on no click is lost that the edge has answered as written.
func TestKillsLoseNoClickAndNoPage(t *testing.T) {
	kafka := startOwnKafka(t)
	cluster := kafkatest.Start(t)
	topic := cluster.Topic(t, "cjevent", 6, map[string]string{"cleanup.policy": "compact,delete"})
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "page") }))
	t.Cleanup(upstream.Close)
	e := &child{listen: nobody(t), admin: nobody(t), log: &logText{}}
	e.environment = append(os.Environ(), asChild+"=1",
		"CJRELAY_KAFKA__BROKERS="+strings.Join(cluster.Brokers, ","), "CJRELAY_CLICKS__TOPIC="+topic, "CJRELAY_CLICKS__FORMAT=json",
		"CJRELAY_CAPTURE__LISTEN="+e.listen, "CJRELAY_CAPTURE__ADMIN_LISTEN="+e.admin, "CJRELAY_CAPTURE__UPSTREAM="+upstream.URL,
		"CJRELAY_CAPTURE__SESSION_COOKIE=sid", "CJRELAY_CAPTURE__SPOOL_DIR="+t.TempDir(), "CJRELAY_CAPTURE__DURABLE=true",
		// All shoppers of the test have one address.
		"CJRELAY_CAPTURE__CLIENT_RATE=100000", "CJRELAY_CAPTURE__CLIENT_BURST=1000000")
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the edges:\n%s", e.log)
		}
	})
	e.start(t)
	t.Cleanup(func() { e.kill(t) })
	load := startLoad(t, e)

	load.more(t, 300)
	kafka.run(t, "kill", "1")
	load.more(t, 300)
	for range 3 {
		e.kill(t)
		e.start(t)
		load.more(t, 200)
	}
	kafka.run(t, "restart", "1")
	load.more(t, 300)
	e.kill(t) // with Kafka up, in the middle of producing
	e.start(t)
	load.more(t, 300)
	kafka.run(t, "kill", "1")
	load.more(t, 100)
	kafka.run(t, "restart", "1")
	load.more(t, 100)
	written := load.end(t)

	await(t, "Kafka has every click", func() bool { return e.metric(t, "cjrelay_capture_waiting") == "0" })
	require.Equal(t, "0", e.metric(t, `cjrelay_capture_lost_total{reason="damaged"}`))
	last := map[string]string{}
	records := cluster.Read(t, topic)
	for _, record := range records {
		last[string(record.Key)] = string(record.Value)
	}
	for session, click := range written {
		require.Contains(t, last[session], click, "the click of %s", session)
	}
	t.Logf("%d shoppers, %d of them with an edge killed on the way; %d pages, slowest %s; %d records for %d clicks",
		len(written), load.interrupted.Load(), load.pages.Load(), time.Duration(load.slowest.Load()), len(records), len(written))
	require.Positive(t, load.interrupted.Load(), "no kill hit anybody")
}

// ownKafka is a cluster of one that this test may kill, apart from the one that all tests share.
type ownKafka struct{ environment []string }

func startOwnKafka(t *testing.T) ownKafka {
	t.Helper()
	// The controller takes the port ten above the broker's.
	var port int
	require.Eventually(t, func() bool {
		_, text, err := net.SplitHostPort(nobody(t))
		require.NoError(t, err)
		_, err = fmt.Sscan(text, &port)
		require.NoError(t, err)
		controller, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+10))
		if err != nil {
			return false
		}
		return controller.Close() == nil
	}, longest, time.Millisecond)
	k := ownKafka{append(os.Environ(), "KAFKA_CLUSTER_DIR="+t.TempDir(), fmt.Sprintf("KAFKA_CLUSTER_PORT=%d", port))}
	t.Cleanup(func() { k.run(t, "down") })
	t.Setenv("KAFKA_TEST_BROKERS", strings.TrimSpace(k.run(t, "up", "1")))
	return k
}

func (k ownKafka) run(t *testing.T, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), "../../deploy/kafka/cluster.sh", arguments...)
	command.Env = k.environment
	var said strings.Builder
	command.Stderr = &said
	output, err := command.Output()
	require.NoError(t, err, said.String())
	return string(output)
}

// child is an edge in a process of its own.
type child struct {
	listen, admin string
	environment   []string
	log           *logText

	process *exec.Cmd
	// life counts kills: a request that fails while it stays the same failed at a living edge. It is odd while the
	// edge is down.
	life atomic.Int64
}

func (e *child) start(t *testing.T) {
	t.Helper()
	e.process = exec.CommandContext(t.Context(), os.Args[0])
	e.process.Env, e.process.Stdout, e.process.Stderr = e.environment, e.log, e.log
	require.NoError(t, e.process.Start())
	await(t, "the edge serves", func() bool {
		conn, err := net.Dial("tcp", e.listen)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	if e.life.Load()%2 == 1 {
		e.life.Add(1)
	}
}

func (e *child) kill(t *testing.T) {
	t.Helper()
	e.life.Add(1)
	require.NoError(t, e.process.Process.Kill(), "the edge ended by itself")
	_ = e.process.Wait()
}

func (e *child) metric(t *testing.T, series string) string {
	t.Helper()
	response, err := http.Get("http://" + e.admin + "/metrics")
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strings.TrimSpace(value)
		}
	}
	require.FailNow(t, "no series", series)
	return ""
}

// load is shoppers who land, one after the other, each with a click and a session of its own.
type load struct {
	edge *child
	stop context.CancelFunc
	all  sync.WaitGroup

	shoppers, interrupted, pages, slowest atomic.Int64

	mu sync.Mutex
	// written are the clicks by session that the edge has answered as written.
	written map[string]string
	failed  error
}

func startLoad(t *testing.T, e *child) *load {
	t.Helper()
	l := &load{edge: e, written: map[string]string{}}
	var ctx context.Context
	ctx, l.stop = context.WithCancel(context.Background())
	t.Cleanup(func() {
		l.stop()
		l.all.Wait()
	})
	for range 16 {
		l.all.Go(func() {
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			for ctx.Err() == nil {
				l.shop(transport)
			}
		})
	}
	return l
}

// shop is one shopper: a landing, then further pages until the edge has nothing left to write.
func (l *load) shop(transport *http.Transport) {
	number := l.shoppers.Add(1)
	session, click := fmt.Sprintf("s-%d", number), fmt.Sprintf("click%027d", number)
	began := l.edge.life.Load()
	cookies := map[string]string{"sid": session}
	for path, binds := "/?cjevent="+click, true; binds; path = "/" {
		answer, ok := l.page(transport, path, cookies)
		if !ok {
			return
		}
		_, binds = answer["cjrelay_click"]
		maps.Copy(cookies, answer)
	}
	if l.edge.life.Load() != began {
		l.interrupted.Add(1)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written[session] = click
}

// page asks for a page until an edge answers, and returns the cookies that it sets. A failure of an edge that lives
// ends the test.
func (l *load) page(transport *http.Transport, path string, cookies map[string]string) (map[string]string, bool) {
	for {
		life, began := l.edge.life.Load(), time.Now()
		if life%2 == 1 {
			time.Sleep(time.Millisecond)
			continue
		}
		request, err := http.NewRequest(http.MethodGet, "http://"+l.edge.listen+path, nil)
		if err != nil {
			return nil, l.fail(err)
		}
		for name, value := range cookies {
			request.AddCookie(&http.Cookie{Name: name, Value: value})
		}
		response, err := transport.RoundTrip(request)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
			if err == nil && (response.StatusCode != http.StatusOK || string(body) != "page") {
				return nil, l.fail(fmt.Errorf("status %d: %q", response.StatusCode, body))
			}
		}
		switch {
		case err == nil:
			l.pages.Add(1)
			for took := int64(time.Since(began)); ; {
				if slowest := l.slowest.Load(); took <= slowest || l.slowest.CompareAndSwap(slowest, took) {
					break
				}
			}
			set := map[string]string{}
			for _, cookie := range response.Cookies() {
				set[cookie.Name] = cookie.Value
			}
			return set, true
		case l.edge.life.Load() == life:
			return nil, l.fail(err)
		}
	}
}

func (l *load) fail(err error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = errors.Join(l.failed, fmt.Errorf("a page failed while the edge lived: %w", err))
	l.stop()
	return false
}

// more waits until that many further shoppers are done.
func (l *load) more(t *testing.T, shoppers int) {
	t.Helper()
	count := func() (int, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.written), l.failed
	}
	before, _ := count()
	await(t, fmt.Sprintf("%d further shoppers are done", shoppers), func() bool {
		now, err := count()
		return err != nil || now >= before+shoppers
	})
	_, err := count()
	require.NoError(t, err)
}

// end stops the load and returns the clicks by session that were answered as written.
func (l *load) end(t *testing.T) map[string]string {
	t.Helper()
	l.stop()
	l.all.Wait()
	require.NoError(t, l.failed)
	return l.written
}
