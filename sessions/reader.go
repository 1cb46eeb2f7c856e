package sessions

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// reader decodes the records of some partitions and commits them to the store. Readers work side by side; a
// partition belongs to one of them.
type reader struct {
	table  *Table
	groups chan group
	// full gets word when another reader's batch is full.
	full chan struct{}
	// batch is nil until the first group: the store has begun by then.
	batch Batch
	hands map[*reading]hand
}

// hand is what a reader has in hand of one reading.
type hand struct {
	// groups were taken and are not committed.
	groups   int
	next     int64
	agreeing uint8
	// kept is the checkpoint as the store has it.
	kept Checkpoint
}

func newReader(t *Table) *reader {
	return &reader{table: t, groups: make(chan group, 1), full: make(chan struct{}, 1), hands: map[*reading]hand{}}
}

// idle is how long a reader that is catching up waits for more before it commits a batch that is not full. Large
// sorted batches are what makes a restore fast.
const idle = 500 * time.Millisecond

// dateEvery is how often checkpoints are dated anew, so that the store of a topic without news does not grow old.
const dateEvery = time.Minute

// run reads until ctx ends, and commits what it has then.
func (r *reader) run(ctx context.Context) error {
	dating := time.NewTicker(dateEvery)
	defer dating.Stop()
	waiting := time.NewTicker(idle)
	defer waiting.Stop()
	for {
		due, dated := false, false
		select {
		case g := <-r.groups:
			if err := r.take(ctx, g); err != nil {
				return err
			}
			waiting.Reset(idle)
			full := int64(r.batch.Bytes()) >= r.table.config.BatchMemory/int64(len(r.table.readers))
			if full {
				r.tellOthers()
			}
			due = full || len(r.groups) == 0 && !r.table.progress.moreToCome(r.hands)
		case <-r.full:
			due = true
		case <-waiting.C:
			due = true
		case <-dating.C:
			due, dated = true, true
		case <-ctx.Done():
			if r.batch != nil {
				// What cannot be kept now is read again by the next start.
				_ = r.batch.Commit(r.checkpoints(true))
			}
			return ctx.Err()
		}
		if due {
			if err := r.commit(ctx, r.checkpoints(dated)); err != nil {
				return err
			}
		}
	}
}

// tellOthers makes all readers commit when one must. While it did so alone, the records fetched for it would be in
// the way of the others'.
func (r *reader) tellOthers() {
	for _, other := range r.table.readers {
		if other == r {
			continue
		}
		select {
		case other.full <- struct{}{}:
		default:
		}
	}
}

// take puts a group into the batch.
func (r *reader) take(ctx context.Context, g group) error {
	if r.batch == nil {
		r.batch = r.table.store.NewBatch()
	}
	h, held := r.hands[g.reading]
	if !held {
		h.agreeing = g.reading.agreeing
	}
	for _, record := range g.records {
		if err := r.apply(ctx, record, &h); err != nil {
			return err
		}
	}
	h.groups++
	h.next = max(h.next, g.next)
	r.hands[g.reading] = h
	return nil
}

// apply puts one record into the batch. It waits out a registry that cannot be asked: skipping the click would
// lose its publisher, and going on without it would give wrong verdicts.
func (r *reader) apply(ctx context.Context, record *kgo.Record, h *hand) error {
	t := r.table
	switch {
	case record.Attrs.IsControl():
		return nil
	case len(record.Key) == 0:
		t.reject(record, errors.New("the record has no key: the key must be the session id"))
		return nil
	case t.config.Only != "" && t.config.Only != string(record.Key):
		return nil
	}
	t.place(record, h)
	if record.Value == nil {
		t.metrics.erased.Inc()
		r.batch.Add(record.Partition, record.Key, Change{Kind: Erase, At: record.Timestamp})
		return nil
	}
	click, err := t.decode(ctx, record)
	switch {
	case err == nil:
		t.metrics.applied.Inc()
		r.batch.Add(record.Partition, record.Key, Change{Kind: Put, Click: click})
	case ctx.Err() != nil:
		return ctx.Err()
	default:
		r.batch.Add(record.Partition, record.Key, Change{Kind: Spoil})
		t.reject(record, err)
	}
	return nil
}

// decode reads a click, as soon as the registry answers.
func (t *Table) decode(ctx context.Context, record *kgo.Record) (schema.Click, error) {
	click, err := t.config.Decode(ctx, record.Value, record.Timestamp)
	if !errors.Is(err, schema.ErrUnavailable) {
		return click, err
	}
	defer t.troubles.set(decoding, nil)
	for waits := newWaits(); errors.Is(err, schema.ErrUnavailable); {
		t.troubles.set(decoding, err)
		select {
		case <-time.After(waits.NextBackOff()):
		case <-ctx.Done():
			return schema.Click{}, ctx.Err()
		}
		click, err = t.config.Decode(ctx, record.Value, record.Timestamp)
	}
	return click, err
}

// checkpoints are those of the readings with something in hand; dated, also newer dates of the others.
func (r *reader) checkpoints(dated bool) map[int32]Checkpoint {
	checkpoints := map[int32]Checkpoint{}
	for reading, h := range r.hands {
		current, goesOn := r.table.progress.currentOf(reading)
		at := Checkpoint{Next: h.next, Current: current, Agreeing: h.agreeing}
		if at != h.kept && (h.groups > 0 || dated && goesOn) {
			checkpoints[reading.partition] = at
		}
	}
	return checkpoints
}

// commit makes the batch visible, however often it takes: on a full disk the gates stay shut until there is
// room. It fails when ctx ends or the store is damaged.
func (r *reader) commit(ctx context.Context, checkpoints map[int32]Checkpoint) error {
	t := r.table
	for waits := newWaits(); len(checkpoints) > 0; {
		err := r.batch.Commit(checkpoints)
		if t.troubles.set(storing, err) && err != nil {
			t.config.Log.Error("click table cannot be written; orders wait for it", "error", err)
		}
		if err == nil {
			break
		}
		if errors.Is(err, ErrDamaged) {
			return err
		}
		select {
		case <-time.After(waits.NextBackOff()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for reading, h := range r.hands {
		goesOn := t.progress.release(reading, h)
		h.groups = 0
		if at, kept := checkpoints[reading.partition]; kept {
			h.kept = at
		}
		r.hands[reading] = h
		if !goesOn {
			delete(r.hands, reading)
		}
	}
	return nil
}

// reject counts a malformed click. The session keeps its last good one.
func (t *Table) reject(record *kgo.Record, err error) {
	t.metrics.malformed.Inc()
	if !t.malformedLogged.Swap(true) {
		t.config.Log.Warn("malformed click skipped; later ones are only counted in cjrelay_clicks_total",
			"topic", record.Topic, "partition", record.Partition, "offset", record.Offset, "error", err)
	}
}
