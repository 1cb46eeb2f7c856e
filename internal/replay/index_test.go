package replay

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// ended is an outcome of ORD-1 as it stands in the topic.
func ended(t *testing.T, kind schema.Kind, group, click, query string) *kgo.Record {
	t.Helper()
	outcome := schema.OutcomeRecord{
		Group: group, Outcome: kind, OrderID: "ORD-1", EnterpriseID: "7", Action: "sale", CJEvent: click, Topic: "orders",
		ConfirmedAt: time.Unix(1, 0), At: time.Unix(2, 0),
	}
	if kind == schema.Acknowledged {
		sum := sha256.Sum256([]byte(query))
		outcome.Reason, outcome.QuerySHA256 = schema.ReasonJoined, hex.EncodeToString(sum[:])
	}
	value, err := outcome.MarshalJSON()
	require.NoError(t, err)
	return &kgo.Record{Topic: "outcomes", Key: []byte(outcome.Key()), Value: value}
}

// CJ keeps what it got first, so that is what a replay must send again; who sent it last is whom an interrupted replay
// asks about.
func TestIndexKeepsTheFirstAcknowledgementAndTheLastGroup(t *testing.T) {
	t.Parallel()
	i, key := newIndex(), digestOf("7|sale|ORD-1")
	i.expect([]digest{key})
	for _, record := range []*kgo.Record{
		ended(t, schema.Unattributed, "live", "", ""),
		ended(t, schema.Acknowledged, "live", "click1", "first"),
		ended(t, schema.Acknowledged, "live.replay.night", "click2", "second"),
		ended(t, schema.Duplicate, "another", "click2", ""),
	} {
		require.NoError(t, i.take(record))
	}
	require.Equal(t, &history{
		latest: schema.Duplicate, acknowledged: true, click: "click1", origin: schema.ReasonJoined, query: sha256.Sum256([]byte("first")),
		group: "live.replay.night",
	}, i.of(key))
}

// What an outcome says of an order of the replay must not be overlooked: CJ may have the order.
func TestIndexRefusesOutcomesThatItCannotRead(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("query"))
	good := string(ended(t, schema.Acknowledged, "live", "click1", "query").Value)
	for name, test := range map[string]struct{ value, problem string }{
		"OfALaterVersion": {strings.Replace(good, `"v":1`, `"v":2`, 1), "outcomes[3] at offset 42: "},
		"WithoutAHash":    {strings.Replace(good, hex.EncodeToString(sum[:]), "none", 1), "query_sha256 is not a hash"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NotEqual(t, good, test.value)
			record := &kgo.Record{Topic: "outcomes", Partition: 3, Offset: 42, Key: []byte("7|sale|ORD-1"), Value: []byte(test.value)}
			i := newIndex()
			require.NoError(t, i.take(record), "it is of no order of the replay")
			i.expect([]digest{digestOf("7|sale|ORD-1")})
			require.ErrorContains(t, i.take(record), test.problem)
		})
	}
}
