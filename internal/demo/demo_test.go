package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/console"
)

// hurried tells the whole story in a few seconds. Its time-out is long: on a machine that is busy with other tests
// an answer may take its time.
var hurried = pace{
	shopping: 2 * time.Second, outage: 600 * time.Millisecond, failing: 300 * time.Millisecond, hanging: 300 * time.Millisecond,
	restart: 1400 * time.Millisecond, tick: 20 * time.Millisecond, timeout: 2500 * time.Millisecond,
}

// buffer is written and read at once.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// options are those of a hurried demo. What it said shows when the test fails.
func options(t *testing.T, orders int) (o Options, out, err *buffer) {
	log := &buffer{}
	out, err = &buffer{}, &buffer{}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("stderr:\n%s\nlog of the relays:\n%s", err, log)
		}
	})
	return Options{Orders: orders, Seed: 1, JSON: true, Admin: "127.0.0.1:0", Out: out, Err: err, Log: log, pace: &hurried}, out, err
}

func TestWholeDemoLosesNothing(t *testing.T) {
	t.Parallel()
	o, out, stderr := options(t, deckSize)
	require.NoError(t, Run(t.Context(), o))

	decoder := json.NewDecoder(strings.NewReader(out.String()))
	var object map[string]float64
	require.NoError(t, decoder.Decode(&object))
	require.ErrorIs(t, decoder.Decode(&object), io.EOF, "one object and nothing else")
	require.Equal(t, []string{"acknowledged", "dead_letter", "duplicates", "lost", "orders", "seconds", "seed", "unattributed", "with_click", "wrong"},
		slices.Sorted(maps.Keys(object)))
	require.EqualValues(t, deckSize, object["orders"])
	require.Equal(t, object["orders"], object["acknowledged"]+object["unattributed"]+object["dead_letter"])
	require.Equal(t, object["with_click"], object["acknowledged"])
	require.Zero(t, object["lost"])
	require.Zero(t, object["wrong"])
	require.Zero(t, object["duplicates"])
	require.Contains(t, stderr.String(), "CJ is down: it answers 503")
	// The screen is drawn now and then, and may miss the restart.
	require.Equal(t, 2, strings.Count(o.Log.(*buffer).String(), "click table restored"), "the consumer was not restarted")
}

func TestOneOrderIsEnough(t *testing.T) {
	t.Parallel()
	o, out, _ := options(t, 1)
	o.JSON = false
	require.NoError(t, Run(t.Context(), o))
	require.Contains(t, out.String(), "Nothing lost, nothing wrong.")
	require.Contains(t, out.String(), "Next")
}

func TestServingStaysReadyUntilTheEnd(t *testing.T) {
	t.Parallel()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	o, out, stderr := options(t, 100)
	o.Serve, o.Admin = true, port.Addr().String()
	require.ErrorContains(t, Run(t.Context(), o), "needs "+o.Admin, "another one has the port")
	require.NoError(t, port.Close())

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ready := 0
	require.Eventually(t, func() bool {
		answer, err := client.Get("http://" + o.Admin + "/readyz?verbose")
		if err != nil {
			return false // not open yet
		}
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, http.StatusOK, answer.StatusCode, "%s", text)
		ready++
		return strings.Contains(stderr.String(), "The shop stays open")
	}, time.Minute, 10*time.Millisecond)
	require.Greater(t, ready, 10)

	answer, err := client.Get("http://" + o.Admin + "/metrics")
	require.NoError(t, err)
	metrics, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Contains(t, string(metrics), "cjrelay_assigned_partitions 12", "the consumer is alive")
	outcomes := 0
	for _, value := range regexp.MustCompile(`(?m)^cjrelay_outcomes_total\{.*\} (\d+)$`).FindAllStringSubmatch(string(metrics), -1) {
		n, err := strconv.Atoi(value[1])
		require.NoError(t, err)
		outcomes += n
	}
	require.GreaterOrEqual(t, outcomes, o.Orders, "the counts outlive the restart")
	var ledger Ledger
	require.NoError(t, json.Unmarshal([]byte(out.String()), &ledger))

	// Its console is a whole one.
	ask := func(method, path string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, "http://"+o.Admin+path, nil)
		require.NoError(t, err)
		_, token, _ := strings.Cut(stderr.String(), "ask for this token: ")
		request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(strings.SplitN(token, "\n", 2)[0]))
		answer, err := client.Do(request)
		require.NoError(t, err)
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		return answer.StatusCode, string(text)
	}
	status, text := ask("GET", "/clicks?session=nobody")
	require.Equal(t, 200, status, text)
	status, text = ask("GET", "/letters")
	require.Equal(t, 200, status, text)
	var found console.Letters
	require.NoError(t, json.Unmarshal([]byte(text), &found))
	require.NotEmpty(t, found.Letters)
	place := found.Letters[0].Letter
	status, text = ask("POST", fmt.Sprintf("/actions/letters/%d/%d/redrive", place.Partition, place.Offset))
	require.Equal(t, 200, status, text)
	status, text = ask("POST", "/actions/letters/redrive?reason="+found.Letters[0].Reason)
	require.Contains(t, []int{200, 404}, status, text)
	for _, action := range []string{"sending/hold", "sending/resume", "held/cj/stop", "held/cj/release"} {
		status, text = ask("POST", "/actions/"+action)
		require.Equal(t, 200, status, text)
	}
	stop()
	require.NoError(t, <-ended)
}

func TestPortInUseIsNoTroubleWithoutServing(t *testing.T) {
	t.Parallel()
	port, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer port.Close()
	o, _, stderr := options(t, 1)
	o.Admin = port.Addr().String()
	require.NoError(t, Run(t.Context(), o))
	require.Contains(t, stderr.String(), o.Admin+" is in use")
}

func TestInterruptedDemoHasNoLedger(t *testing.T) {
	t.Parallel()
	o, out, stderr := options(t, deckSize)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, o) }()
	require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "CJ is down") }, time.Minute, 10*time.Millisecond)
	stop()
	require.ErrorIs(t, <-ended, errIncomplete)
	require.Empty(t, out.String())
}
