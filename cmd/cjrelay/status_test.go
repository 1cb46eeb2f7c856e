package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/cjrelay/cjrelay/console"
	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The group's lag is of the orders' topic, whatever else the group has ever read.
func TestStatusIsOfTheOrdersAlone(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 2)
	other := m.kafka.Topic(t, "other", 1, nil)
	m.confirm(t, 0, m.order("ORD-1", "never"), m.order("ORD-2", "never"))
	stands := kadm.Offsets{}
	stands.AddOffset(m.orders, 0, 1, -1)
	stands.AddOffset(other, 0, 0, -1)
	require.NoError(t, m.kafka.Admin.CommitAllOffsets(t.Context(), m.orders, stands))
	var now status
	require.NoError(t, json.Unmarshal([]byte(m.verb(t, exitDone, "status", "-o", "json").out), &now))
	require.EqualValues(t, 1, now.Group.Lag)
	require.Equal(t, []groupPosition{{Partition: 0, Committed: 1, End: 2, Lag: 1}, {Partition: 1, Committed: -1}}, now.Group.Partitions)
	require.Regexp(t, `(?m)^ +1 +-1 +0 +0`, m.verb(t, exitDone, "status").out, "nobody has committed anything there")
}

func TestStatusOfWhatIsNotACJRelay(t *testing.T) {
	t.Parallel()
	m := newMerchant(t, 1)
	stranger := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	t.Cleanup(stranger.Close)
	m.edit(t, "listen: '127.0.0.1:0'", "listen: '"+strings.TrimPrefix(stranger.URL, "http://")+"'")
	require.Contains(t, m.verb(t, exitDone, "status").out, "is not a cjrelay", "and Kafka can still be asked")
}

// A cluster that is new makes the topic in which it keeps groups when it is first asked for one.
func TestStatusWaitsForANewClusterOnFake(t *testing.T) {
	t.Parallel()
	m := newMerchantOn(t, kafkatest.StartFake(t), 1)
	refusals := 3
	m.kafka.Fake.ControlKey(int16(kmsg.FindCoordinator), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if refusals == 0 {
			return nil, nil, false
		}
		refusals--
		m.kafka.Fake.KeepControl()
		asked := request.(*kmsg.FindCoordinatorRequest)
		response := asked.ResponseKind().(*kmsg.FindCoordinatorResponse)
		response.ErrorCode = kerr.CoordinatorNotAvailable.Code
		for _, key := range asked.CoordinatorKeys {
			one := kmsg.NewFindCoordinatorResponseCoordinator()
			one.Key, one.NodeID, one.ErrorCode = key, -1, kerr.CoordinatorNotAvailable.Code
			response.Coordinators = append(response.Coordinators, one)
		}
		return response, nil, true
	})
	require.Contains(t, m.verb(t, exitDone, "status").out, "not there yet, members 0")
	require.Zero(t, refusals)
}

func TestStatusTellsWhyTheCircuitIsOpen(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	at := time.Now()
	writeProcess(&text, &console.State{At: at, Breaker: []console.Turn{{At: at.Add(-time.Minute), State: "open", Cause: "connection refused"}}})
	require.Contains(t, text.String(), "circuit   open for 1m0s\n          connection refused\n")
}
