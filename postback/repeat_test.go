package postback

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// keeping makes a client that keeps n connections to a CJ, which closes each one that is used again without an answer,
// and new ones, too, once dead is set. sent is what CJ received after the n.
func keeping(t *testing.T, n int) (client *Client, sent *atomic.Int32, dead *atomic.Bool) {
	t.Helper()
	var (
		arrived sync.WaitGroup
		served  sync.Map
	)
	arrived.Add(n)
	sent, dead = new(atomic.Int32), new(atomic.Bool)
	warm := new(atomic.Bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, again := served.LoadOrStore(r.RemoteAddr, true)
		if !warm.Load() {
			arrived.Done()
			arrived.Wait()
			return
		}
		if sent.Add(1); again || dead.Load() {
			connection, _, err := w.(http.Hijacker).Hijack()
			require.NoError(t, err)
			_ = connection.Close()
		}
	}))
	t.Cleanup(server.Close)
	client, _ = realTransport(t, ClientConfig{Endpoint: server.URL})
	var all sync.WaitGroup
	for range n {
		all.Go(func() { require.Equal(t, Acknowledged, client.Send(t.Context(), anyQuery).Class) })
	}
	all.Wait()
	warm.Store(true)
	return client, sent, dead
}

// TestADeadKeptConnectionCostsOneRepeat: net/http alone would send the order on each kept connection in turn, and
// nobody would count it.
func TestADeadKeptConnectionCostsOneRepeat(t *testing.T) {
	t.Parallel()
	client, sent, _ := keeping(t, 8)
	answer := client.Send(t.Context(), anyQuery)
	require.Equal(t, Acknowledged, answer.Class)
	require.Equal(t, 1, answer.Repeats)
	require.EqualValues(t, 2, sent.Load())
}

func TestACJThatOnlyClosesIsAskedTwiceAnAttempt(t *testing.T) {
	t.Parallel()
	client, sent, dead := keeping(t, 8)
	dead.Store(true)
	answer := client.Send(t.Context(), anyQuery)
	require.Equal(t, Retry, answer.Class)
	require.EqualError(t, answer.Err, "connection closed before an answer")
	require.Equal(t, 1, answer.Repeats)
	require.EqualValues(t, 2, sent.Load())
	require.Zero(t, client.Send(t.Context(), anyQuery).Repeats, "no connection is left that could be dead")
	require.EqualValues(t, 3, sent.Load())
}
