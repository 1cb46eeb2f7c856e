package consumer

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/postback"
)

// slowCJ is a CJ that takes a while for each order, and is down for some time.
type slowCJ struct {
	latency time.Duration
	// Set by the test: answer is the status, hang leaves requests without one.
	answer atomic.Int32
	hang   atomic.Bool

	mu                          sync.Mutex
	inFlight, connections       int
	mostFlying, mostConnections int
	taken                       map[string]int
}

func (s *slowCJ) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.hang.Load() {
		// It is given up before that is known here, so those in flight cannot be counted: the connections are.
		<-r.Context().Done()
		return
	}
	s.count(&s.inFlight, &s.mostFlying, 1)
	defer s.count(&s.inFlight, &s.mostFlying, -1)
	time.Sleep(s.latency)
	status := int(s.answer.Load())
	if status == http.StatusOK {
		s.mu.Lock()
		s.taken[r.URL.Query().Get("OID")]++
		s.mu.Unlock()
	}
	w.WriteHeader(status)
}

func (s *slowCJ) count(now, most *int, change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*now += change
	*most = max(*most, *now)
}

// serve answers on a network of the bubble until the test stops it, and returns a client to it.
func (s *slowCJ) serve(t *testing.T, timeout time.Duration, concurrency int) (client *postback.Client, stop func()) {
	t.Helper()
	network := &kfake.VirtualNetwork{}
	listener, err := network.Listen("tcp", "127.0.0.1:80")
	require.NoError(t, err)
	server := &http.Server{Handler: s, ConnState: func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			s.count(&s.connections, &s.mostConnections, 1)
		case http.StateClosed:
			s.count(&s.connections, &s.mostConnections, -1)
		}
	}}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	client, err = postback.NewClient(postback.ClientConfig{Endpoint: "http://127.0.0.1:80/u", Timeout: timeout, Concurrency: concurrency, Dial: network.DialContext})
	require.NoError(t, err)
	stop = sync.OnceFunc(func() {
		client.Close()
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	})
	t.Cleanup(stop)
	return client, stop
}

const ofTheRelay = "ofTheRelay"

// goroutines counts those that carry the test's label.
func goroutines(t *testing.T, label string) int {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, pprof.Lookup("goroutine").WriteTo(&text, 1))
	count, alike := 0, 0
	for line := range strings.Lines(text.String()) {
		if number, _, ok := strings.Cut(line, " @ "); ok {
			alike, _ = strconv.Atoi(number)
		}
		if strings.Contains(line, strconv.Quote(ofTheRelay)+":"+strconv.Quote(label)) {
			count += alike
		}
	}
	return count
}

// Ten times what CJ can take, and then twenty minutes in which it takes nothing, or does not even answer. What the process
// uses stays within its bounds throughout, and in the end everything has arrived, once.
func TestOverloadAndALongOutageStayWithinBoundsOnFake(t *testing.T) {
	t.Parallel()
	const (
		concurrency = 4
		latency     = 100 * time.Millisecond
		timeout     = 5 * time.Second
		perSecond   = 10 * concurrency * int(time.Second/latency)
		partitions  = 4
	)
	for name, test := range map[string]struct {
		maxPending, maxBytes int
		down                 func(*slowCJ)
	}{
		"FailingWithFewOrdersInMemory": {400, 1 << 20, func(s *slowCJ) { s.answer.Store(http.StatusServiceUnavailable) }},
		"SilentWithFewBytesInMemory":   {4000, 20_000, func(s *slowCJ) { s.hang.Store(true) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := setupVirtual(t, partitions)
				cj := &slowCJ{latency: latency, taken: map[string]int{}}
				cj.answer.Store(http.StatusOK)
				client, stopCJ := cj.serve(t, timeout, concurrency)
				b.config.Sender, b.config.Concurrency = client, concurrency
				b.config.Breaker = breaker.New(breaker.Config{Concurrency: concurrency})
				b.config.MaxPending, b.config.MaxPendingPerPartition, b.config.MaxPendingBytes = test.maxPending, test.maxPending/2, test.maxBytes
				b.config.BackoffInitial, b.config.BackoffMax, b.config.CommitInterval = 500*time.Millisecond, time.Minute, 5*time.Second
				var r *running
				pprof.Do(t.Context(), pprof.Labels(ofTheRelay, name), func(context.Context) { r = b.start(t) })

				produced := 0
				order := func() *kgo.Record {
					produced++
					id := fmt.Sprint("ORD-", produced)
					return &kgo.Record{Topic: b.config.Topic, Partition: int32(produced % partitions), Value: []byte(orderAt(id, past()))}
				}
				largest := 0
				within := func() {
					t.Helper()
					require.LessOrEqual(t, r.bounds.orders(), test.maxPending)
					// Bytes are known when the records are there: what one poll brings comes on top of three quarters.
					require.LessOrEqual(t, r.bounds.held(), test.maxBytes*3/4+min(batch, test.maxPending)*largest)
					// A sender each, and a connection's two; for each of the three clients of Kafka its broker's.
					require.LessOrEqual(t, goroutines(t, name), 100+4*concurrency)
				}
				confirm := func(n int) {
					t.Helper()
					var records []*kgo.Record
					for range n {
						one := order()
						largest = max(largest, size(one))
						records = append(records, one)
					}
					b.Produce(t, records...)
				}
				for range 3 {
					confirm(perSecond)
					time.Sleep(time.Second)
					within()
				}
				test.down(cj)
				for range 10 {
					confirm(50)
					time.Sleep(2 * time.Minute)
					within()
				}
				require.Equal(t, breaker.Open == b.config.Breaker.State(), r.pausedFor()[PauseBreaker])
				cj.answer.Store(http.StatusOK)
				cj.hang.Store(false)
				for range 40 {
					time.Sleep(5 * time.Second)
					within()
				}
				require.EqualValues(t, produced, r.taken.Load())
				require.Len(t, cj.taken, produced)
				for id, times := range cj.taken {
					require.Equal(t, 1, times, id)
				}
				require.LessOrEqual(t, cj.mostFlying, concurrency)
				require.LessOrEqual(t, cj.mostConnections, 3*concurrency, "as many may be idle as are in use, and as many not be known to be closed yet")
				require.Empty(t, b.Read(t, b.config.DeadLetterTopic))
				r.halt(t)
				stopCJ()
				synctest.Wait()
				require.Zero(t, goroutines(t, name))
				require.Zero(t, cj.connections)
			})
		})
	}
}
