package sessions

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// oracleSegment is how long a segment of a real topic may last. Nothing that a scenario writes is that much later than
// anything else, not even the marker of a transaction, which has the broker's time: so a segment ends only with what
// compact writes, and Kafka's log cleaner comes then and at no other time.
const oracleSegment = 2 * oracleAge

// deleteRecords removes a partition's records up to a batch's begin or the stable end.
func (w *world) deleteRecords(p int32) {
	w.t.Helper()
	starts, err := w.Admin.ListStartOffsets(w.t.Context(), w.topic)
	require.NoError(w.t, err)
	start, _ := starts.Lookup(w.topic, p)
	var choices []int64
	stable := w.stable()[p]
	for _, begin := range append(w.partitions[p].batches, stable) {
		if begin > start.Offset && begin <= stable {
			choices = append(choices, begin)
		}
	}
	if len(choices) == 0 {
		return
	}
	before := choices[w.rand.IntN(len(choices))]
	if w.one(2) {
		before = stable
	}
	var offsets kadm.Offsets
	offsets.AddOffset(w.topic, p, before, -1)
	deleted, err := w.Admin.DeleteRecords(w.t.Context(), offsets)
	require.NoError(w.t, err)
	require.NoError(w.t, deleted.Error())
	w.remove(func(e *entry) bool { return e.partition != p || e.offset >= before })
	w.did("removal %d: deleted partition %d up to %d", w.removals, p, before)
}

// compact ends the open transactions and lets the topic lose what later records of the same key supersede.
func (w *world) compact() {
	w.t.Helper()
	for len(w.running) > 0 {
		w.end(0, w.one(2))
	}
	var left map[[2]int64]bool
	if w.Real() {
		left = w.cleaned()
	} else {
		w.Fake.Compact()
		left = w.left()
	}
	w.remove(func(e *entry) bool { return left[[2]int64{int64(e.partition), e.offset}] })
	w.did("removal %d: compacted", w.removals)
}

// cleaned writes so that the segments that are there end, and waits until Kafka's log cleaner has gone over them. The
// cleaner never touches the latest segment, so there are three records that begin one each; when the first has gone,
// it was superseded by the second in a segment that was cleaned.
func (w *world) cleaned() map[[2]int64]bool {
	w.t.Helper()
	var first []*entry
	for n := range 3 {
		w.fillers++
		for p := range w.partitions {
			filler := &entry{
				partition: int32(p), session: sessionIn(int32(p), len(w.partitions), 1000), kind: Put, id: "filler",
				at: time.Now().Add(time.Duration(w.fillers) * (oracleSegment + time.Hour)).Truncate(time.Millisecond),
			}
			w.write(nil, filler)
			w.written--
			if n == 0 {
				first = append(first, filler)
			}
		}
	}
	require.Eventually(w.t, func() bool {
		left := w.left()
		for _, filler := range first {
			if left[[2]int64{int64(filler.partition), filler.offset}] {
				return false
			}
		}
		return true
	}, long, 50*time.Millisecond, "the log cleaner has not come to topic %s: %v", w.topic, first)
	// What was read before the cleaner came is not there any more.
	return w.left()
}

// left are partition and offset of every record that the topic still has.
func (w *world) left() map[[2]int64]bool {
	w.t.Helper()
	left, last, from := map[[2]int64]bool{}, map[int32]int64{}, map[int32]kgo.Offset{}
	starts, err := w.Admin.ListStartOffsets(w.t.Context(), w.topic)
	require.NoError(w.t, err)
	ends, err := w.Admin.ListEndOffsets(w.t.Context(), w.topic)
	require.NoError(w.t, err)
	for p := range int32(len(w.partitions)) {
		start, _ := starts.Lookup(w.topic, p)
		end, _ := ends.Lookup(w.topic, p)
		if start.Offset < end.Offset {
			last[p], from[p] = end.Offset-1, kgo.NewOffset().At(start.Offset)
		}
	}
	if len(last) == 0 {
		return left
	}
	client, err := kgo.NewClient(append(w.Options(), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{w.topic: from}))...)
	require.NoError(w.t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), long)
	defer cancel()
	for len(last) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(w.t, fetches.Err(), "reading back the topic's ends %v", last)
		fetches.EachRecord(func(r *kgo.Record) {
			left[[2]int64{int64(r.Partition), r.Offset}] = true
			if r.Offset == last[r.Partition] {
				delete(last, r.Partition)
			}
		})
	}
	return left
}
