package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/internal/replay"
	"github.com/cjrelay/cjrelay/schema"
)

// What a dry run says of orders is how a replay of them ends, one by one and reason by reason, in either join, and
// where transactions have left markers and what they aborted among them.
func TestReplayEndsAsItsDryRunSaid(t *testing.T) {
	t.Parallel()
	for _, join := range []string{"global", "copartitioned"} {
		t.Run(join, func(t *testing.T) {
			t.Parallel()
			const partitions = 3
			m := newMerchant(t, partitions, "join: "+join)
			m.lot(t, partitions, join == "copartitioned")
			offsets := kadm.Offsets{}
			ends, err := m.kafka.Admin.ListEndOffsets(t.Context(), m.orders)
			require.NoError(t, err)
			ends.Each(func(end kadm.ListedOffset) { offsets.AddOffset(m.orders, end.Partition, end.Offset, -1) })
			require.NoError(t, m.kafka.Admin.CommitAllOffsets(t.Context(), m.orders, offsets))

			told := m.replays(t, "--to-earliest").Total
			did := m.replays(t, "--to-earliest", "--execute")
			require.True(t, did.Done)
			require.Equal(t, told, did.Total)
			require.Equal(t, told.Orders, told.ToDo)
			require.Equal(t, told.Send, did.Result[schema.Acknowledged])
			require.Equal(t, told.Unattributed, did.Result[schema.Unattributed])
			require.Equal(t, told.DeadLetters, did.Result[schema.DeadLetter])
			require.Equal(t, map[schema.Reason]int64{schema.ReasonRepeated: told.Repeated}, did.Result[schema.Duplicate])
			require.Len(t, told.Unattributed, 4, "the lot has lost its variety")
			require.Len(t, told.Send, 2)
			deadKinds := 4
			if join == "copartitioned" {
				deadKinds++
			}
			require.Len(t, told.DeadLetters, deadKinds)

			again := m.replays(t, "--to-earliest").Total
			require.Zero(t, again.ToDo, "all has ended")
			require.Equal(t, told.Unattributed, again.Unattributed)
			// One that lies in the wrong partition is known by now if CJ has another record of it.
			require.Equal(t, again.Orders, again.Acknowledged+replay.Sum(again.Unattributed)+replay.Sum(again.DeadLetters))
		})
	}
}

// lot writes orders of every kind. With homes they lie in the partitions of their sessions, but for a few.
func (m *merchant) lot(t *testing.T, partitions int, homes bool) {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 7))
	partition, err := schema.NewPartitioner(schema.PartitionerMurmur2)
	require.NoError(t, err)
	var sessions []string
	var records []*kgo.Record
	for i := range 600 {
		session := fmt.Sprint("click", i)
		text := m.order(fmt.Sprint("ORD-", i), session)
		with := func(more string) string { return strings.TrimSuffix(text, "}") + "," + more + "}" }
		at := m.confirmed.Add(48 * time.Hour).Format(time.RFC3339)
		stray := random.IntN(20) == 0
		// Those without clicks have sessions that the partitioner puts somewhere, too.
		if kind := random.IntN(100); kind < 50 {
			sessions = append(sessions, session)
		} else {
			text = [...]string{
				with(`"cjevent":"carried1"`), with(`"consent":false`), strings.Replace(text, `"session_id":"`+session+`",`, "", 1), text,
				text[:40], strings.Replace(text, "22.99", "22.9x", 1), with(`"cjevent":"carried1","attributes":{"CID":"1"}`), strings.Replace(text, m.confirmed.Format(time.RFC3339Nano), at, 1),
				m.order(fmt.Sprint("ORD-", i), "after"), with(`"cjevent":"not legal!"`),
			}[min(kind-50, 39)%10]
			if random.IntN(10) == 0 && len(sessions) > 0 {
				session = sessions[0]
				text = m.order("ORD-"+strings.TrimPrefix(session, "click"), session)
			}
		}
		record := &kgo.Record{Topic: m.orders, Partition: int32(random.IntN(partitions)), Value: []byte(text)}
		if homes && !stray {
			record.Partition = int32(partition([]byte(session), partitions))
		}
		records = append(records, record)
	}
	for i := len(sessions); i < 900; i++ { // so that the partitioner is seen to be obeyed
		sessions = append(sessions, fmt.Sprint("more", i))
	}
	m.click(t, sessions...)
	m.kafka.Produce(t, &kgo.Record{Topic: m.clicks, Key: []byte("after"), Value: []byte("after"), Timestamp: m.confirmed.Add(time.Minute)})
	client := m.kafka.Client(t, kgo.TransactionalID(kafkatest.Name("shop")), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	for len(records) > 0 {
		end, batch := kgo.TryCommit, records[:min(50, len(records))]
		if random.IntN(3) == 0 {
			end = kgo.TryAbort
		} else {
			records = records[len(batch):]
		}
		copies := make([]*kgo.Record, len(batch))
		for i, record := range batch {
			copies[i] = &kgo.Record{Topic: record.Topic, Partition: record.Partition, Value: record.Value}
		}
		require.NoError(t, client.BeginTransaction())
		require.NoError(t, client.ProduceSync(t.Context(), copies...).FirstErr())
		require.NoError(t, client.EndTransaction(t.Context(), end))
	}
}
