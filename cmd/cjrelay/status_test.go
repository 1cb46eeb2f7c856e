package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
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
