package sessions

import (
	"hash/crc32"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
	"github.com/cjrelay/cjrelay/schema"
)

// deleteRecords removes everything before the offset.
func (b *bundle) deleteRecords(t *testing.T, before int64) {
	t.Helper()
	b.deleteRecordsOf(t, 0, before)
}

func (b *bundle) deleteRecordsOf(t *testing.T, partition int32, before int64) {
	t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(b.topic, partition, before, -1)
	deleted, err := b.Admin.DeleteRecords(t.Context(), offsets)
	require.NoError(t, err)
	require.NoError(t, deleted.Error())
}

func TestDeletedTailDoesNotHoldTheGate(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	b.Produce(t, b.click("s", "one", time.Hour), b.click("s", "two", time.Minute))
	running := b.open(t)
	requireVerdict(t, running, "s", "two", "")
	b.deleteRecords(t, 2)
	requireVerdict(t, running, "s", "two", "")
	requireVerdict(t, b.open(t), "s", "", schema.ReasonNoClick)
}

// The probe must not take records for gone that the reader has in hand.
func TestDeletedTailDoesNotOpenTheGateBeforeASlowReader(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.Start(t), 1)
	decoding, goOn := b.slowly()
	table := b.open(t)
	requireOpens(t, table.Gate())
	b.Produce(t, b.click("s-1", "first", time.Hour), b.click("s-2", "second", time.Hour))
	require.Equal(t, "first", <-decoding)
	gate := table.Gate()
	request(t, gate)
	require.Eventually(t, func() bool { _, waiting := table.progress.waitingSince(); return waiting }, long, time.Millisecond)
	b.deleteRecords(t, 2)
	requireShut(t, gate)
	close(goOn)
	requireOpens(t, gate)
	click, _, _ := table.Lookup(0, "s-2", noon)
	require.Equal(t, "second", click.ID)
}

// Retention empties the tail before the reader gets to it: no record will ever show that it is at the end.
// Without the probe of the tail the gate stays shut until the next click.
func TestTailEmptiedBeforeItWasReadOpensTheGateOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	b.Produce(t, b.click("s", "read", 2*time.Hour))
	table := b.open(t)
	requireVerdict(t, table, "s", "read", "")
	// The reader cannot fetch while the clicks come and go.
	away := b.Fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: b.topic, Err: kerr.KafkaStorageError, Count: -1})
	require.NoError(t, away.Wait(t.Context(), 1))
	b.Produce(t, b.click("s", "gone", time.Hour), b.click("s", "gonetoo", time.Hour))
	gate := table.Gate()
	requireShut(t, gate)
	b.deleteRecords(t, 3)
	away.Remove()
	requireOpens(t, gate)
	requireVerdict(t, table, "s", "read", "")
	requireReady(t, table)
}

func TestCompactedTopicGivesTheLastClicksAndErasuresOnFake(t *testing.T) {
	t.Parallel()
	b := setup(t, kafkatest.StartFake(t), 1)
	early := b.open(t)
	for round := range 20 {
		// One batch each, since compaction keeps the last batch whole.
		b.Produce(t, b.click("s-1", id(round), time.Duration(100-round)*time.Minute))
		b.Produce(t, b.click("s-2", id(round), time.Duration(100-round)*time.Minute))
	}
	b.Produce(t, b.tombstone("s-2"))
	b.Produce(t, b.tombstone("s-3"))
	b.Fake.Compact()
	for _, table := range []*Table{early, b.open(t)} {
		requireVerdict(t, table, "s-1", id(19), "")
		requireVerdict(t, table, "s-2", "", schema.ReasonClickErased)
		requireVerdict(t, table, "s-3", "", schema.ReasonClickErased)
	}
	require.Less(t, b.open(t).store.Sessions(), int64(4))
}

// batch is what compaction leaves of a batch: its place, and perhaps records.
func batch(first int64, lastDelta int32, records ...kmsg.Record) []byte {
	b := kmsg.NewRecordBatch()
	b.FirstOffset, b.LastOffsetDelta, b.Magic = first, lastDelta, 2
	b.ProducerID, b.ProducerEpoch, b.FirstSequence = -1, -1, -1
	b.NumRecords = int32(len(records))
	for _, r := range records {
		b.Records = r.AppendTo(b.Records)
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12)
	raw := b.AppendTo(nil)
	b.CRC = int32(crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b.AppendTo(nil)
}

func TestEmptyUntil(t *testing.T) {
	t.Parallel()
	record := kmsg.NewRecord()
	record.Length, record.Value = 7, []byte("v")
	record.Key = nil
	tests := map[string]struct {
		batches []byte
		stable  int64
		want    int64
	}{
		"NothingUpToTheStableEnd":        {nil, 9, 9},
		"StableEndBehindUsProvesNothing": {nil, 3, 3},
		"BatchWithoutRecords":            {batch(5, 3), 9, 9},
		"SeveralBatchesWithoutRecords":   {append(batch(5, 1), batch(7, 1)...), 20, 9},
		"ARecordProvesNothing":           {batch(5, 0, record), 9, 5},
		"ARecordBehindAnEmptyBatch":      {append(batch(5, 1), batch(7, 0, record)...), 9, 5},
		"UnreadableProvesNothing":        {[]byte("not a batch, but as long as the head of one, so that it is looked at"), 9, 5},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			answer := kmsg.NewFetchResponseTopicPartition()
			answer.RecordBatches, answer.LastStableOffset = test.batches, test.stable
			require.Equal(t, test.want, emptyUntil(&answer, "cjevent", 5))
		})
	}
}
