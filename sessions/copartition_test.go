package sessions

import (
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// copartitioned makes the bundle's tables co-partitioned with a topic of orders that has as many partitions.
func (b *bundle) copartitioned(t *testing.T, partitions int32) Config {
	t.Helper()
	config := b.config()
	config.Layout = Copartitioned
	config.Orders = b.Topic(t, "orders", partitions, nil)
	var err error
	config.Partitioner, err = schema.NewPartitioner(schema.PartitionerMurmur2)
	require.NoError(t, err)
	return config
}

// sessionIn is the n-th session that murmur2 puts into a partition.
func sessionIn(partition int32, partitions, n int) string {
	place, _ := schema.NewPartitioner(schema.PartitionerMurmur2)
	for i := 0; ; i++ {
		session := fmt.Sprintf("s-%d", i)
		if place([]byte(session), partitions) != int(partition) {
			continue
		}
		if n == 0 {
			return session
		}
		n--
	}
}

func requireVerdictIn(t *testing.T, table *Table, partition int32, session, id string, reason schema.Reason) {
	t.Helper()
	requireOpensFor(t, table.Gate(), partition)
	click, miss, err := table.Lookup(partition, session, noon)
	require.NoError(t, err)
	require.Equal(t, reason, miss)
	require.Equal(t, id, click.ID)
}

func TestCopartitionedTableReadsOnlyWhatItFollows(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	first, second := sessionIn(0, 3, 0), sessionIn(1, 3, 0)
	b.Produce(t, b.click(first, "one", time.Hour), b.click(second, "two", time.Hour))
	table := run(t, b, b.copartitioned(t, 3), NewMemory())
	requireReady(t, table)
	requireShutFor(t, table.Gate(), 0)
	require.Zero(t, table.store.Sessions())

	table.Follow(0)
	requireVerdictIn(t, table, 0, first, "one", "")
	require.EqualValues(t, 1, table.store.Sessions())
	gate := table.Gate()
	requireShutFor(t, gate, 1)
	table.Follow(1)
	requireOpensFor(t, gate, 1)
	requireVerdictIn(t, table, 1, second, "two", "")
	requireVerdictIn(t, table, 1, first, "", schema.ReasonNoClick)
}

// The orders of a partition that has its clicks do not wait for the clicks of one that has just come.
func TestPartitionsDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	first, second := sessionIn(0, 2, 0), sessionIn(1, 2, 0)
	b.Produce(t, b.click(second, "slow", time.Hour))
	decoding, goOn := b.slowly()
	table := run(t, b, b.copartitioned(t, 2), NewMemory())
	table.Follow(0)
	requireVerdictIn(t, table, 0, first, "", schema.ReasonNoClick)
	table.Follow(1)
	require.Equal(t, "slow", <-decoding)
	requireShutFor(t, table.Gate(), 1)
	requireVerdictIn(t, table, 0, first, "", schema.ReasonNoClick)
	close(goOn)
	requireVerdictIn(t, table, 1, second, "slow", "")
}

func TestPartitionThatComesBackIsNotReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	session := sessionIn(1, 2, 0)
	b.Produce(t, b.click(session, "one", time.Hour))
	table := run(t, b, b.copartitioned(t, 2), NewMemory())
	table.Follow(0, 1)
	requireVerdictIn(t, table, 1, session, "one", "")
	for round := range 5 {
		table.Unfollow(1)
		// What happens meanwhile happens at another instance.
		b.Produce(t, b.click(session, id(round), time.Minute-time.Duration(round)*time.Second))
		table.Follow(1)
		requireVerdictIn(t, table, 1, session, id(round), "")
	}
	require.InDelta(t, 6, testutil.ToFloat64(table.metrics.applied), 0, "each click is read once")
}

// An instance that had a partition long ago may have missed erasures that the topic has forgotten since.
func TestPartitionThatComesBackTooLateIsReadAgain(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	session, other := sessionIn(1, 2, 0), sessionIn(0, 2, 0)
	b.Produce(t, b.click(session, "one", time.Hour), b.click(other, "kept", time.Hour))
	store := NewMemory()
	table := run(t, b, b.copartitioned(t, 2), store)
	table.Follow(0, 1)
	requireVerdictIn(t, table, 1, session, "one", "")
	table.Unfollow(1)
	require.Eventually(t, func() bool { return len(table.progress.follows()) == 1 }, long, time.Millisecond)
	// The topic keeps tombstones for a day, Kafka's default.
	old := store.Checkpoint(1)
	old.Current = old.Current.Add(-25 * time.Hour)
	require.NoError(t, store.NewBatch().Commit(map[int32]Checkpoint{1: old}))
	// The click is gone from the topic, and with it every trace of why.
	b.deleteRecordsOf(t, 1, 1)
	table.Follow(1)
	requireVerdictIn(t, table, 1, session, "", schema.ReasonNoClick)
	requireVerdictIn(t, table, 0, other, "kept", "")
	require.Contains(t, b.log.String(), "click table is made anew from the topic")
}

func TestPartitionCountsMustAgree(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 3)
	table := run(t, b, b.copartitioned(t, 2), NewMemory())
	table.Follow(0)
	requireShutFor(t, table.Gate(), 0)
	requireUnready(t, table, "has 3 partitions and topic "+table.config.Orders+" has 2, and the join is copartitioned: give both the same number")
}

// A session's clicks stay where they are, and its orders move.
func TestPartitionsAddedToBothTopicsShutTheGate(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	table := run(t, b, b.copartitioned(t, 2), NewMemory())
	table.Follow(0)
	requireVerdictIn(t, table, 0, sessionIn(0, 2, 0), "", schema.ReasonNoClick)
	for _, topic := range []string{b.topic, table.config.Orders} {
		added, err := b.Admin.CreatePartitions(t.Context(), 2, topic)
		require.NoError(t, err)
		require.NoError(t, added.Error())
	}
	gate := table.Gate()
	requireShutFor(t, gate, 0)
	requireUnready(t, table, "had 2 partitions and have 4 now")
	requireShutFor(t, gate, 0)
}

func TestStrayOrderIsToldAfterAHundredClickKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	here, there := sessionIn(0, 2, 0), sessionIn(1, 2, 0)
	for n := range AgreeingEnough - 1 {
		b.Produce(t, b.click(sessionIn(0, 2, n), "one", time.Hour))
	}
	table := run(t, b, b.copartitioned(t, 2), NewMemory())
	table.Follow(0)
	requireVerdictIn(t, table, 0, here, "one", "")
	requireVerdictIn(t, table, 0, there, "", schema.ReasonNoClick)
	b.Produce(t, b.click(sessionIn(0, 2, 500), "one", time.Hour))
	requireVerdictIn(t, table, 0, there, "", schema.ReasonWrongPartition)
	requireVerdictIn(t, table, 0, here, "one", "")

	// A click that another partitioner put here ends the trust, and is worth a line in the log.
	stray := b.click(there, "stray", time.Hour)
	b.produceTo(t, 0, stray)
	requireVerdictIn(t, table, 0, there, "stray", "")
	require.InDelta(t, 1, testutil.ToFloat64(table.metrics.misplaced), 0)
	require.Contains(t, b.log.String(), "clicks.partitioner")
}

// What was agreed on is kept with the clicks: a restart reads only the tail, and must not forget it.
func TestTrustInThePartitionerOutlivesARestart(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 2)
	for n := range AgreeingEnough {
		b.Produce(t, b.click(sessionIn(0, 2, n), "one", time.Hour))
	}
	config, store := b.copartitioned(t, 2), &surviving{Memory: NewMemory()}
	before := start(t, b, config, store)
	before.Follow(0)
	requireVerdictIn(t, before.Table, 0, sessionIn(1, 2, 0), "", schema.ReasonWrongPartition)
	before.stop()
	after := run(t, b, config, store)
	after.Follow(0)
	requireVerdictIn(t, after, 0, sessionIn(1, 2, 0), "", schema.ReasonWrongPartition)
	require.Zero(t, testutil.ToFloat64(after.metrics.applied))
}
