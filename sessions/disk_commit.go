package sessions

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/objstorage/objstorageprovider"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// bulkBytes is the size from which a batch is written as a sorted file of its own. Below it, making a file
// costs more than passing the changes through the database's memory.
const bulkBytes = 2 << 20

// Commit implements Batch. Batches of different goroutines are committed at the same time.
func (b *diskBatch) Commit(checkpoints map[int32]Checkpoint) error {
	d := b.disk
	d.life.RLock()
	defer d.life.RUnlock()
	if len(b.entries) == 0 && len(checkpoints) == 0 {
		return nil
	}
	if err := d.writable(b.Bytes()); err != nil {
		return err
	}
	b.sort()
	write := d.apply
	if b.Bytes() >= d.bulk {
		write = d.ingest
	}
	if err := write(b, d.checkpointRecords(checkpoints)); err != nil {
		return err
	}
	d.mu.Lock()
	maps.Copy(d.checkpoints, checkpoints)
	d.mu.Unlock()
	b.reset()
	return nil
}

// checkpointRecord is a checkpoint as the database keeps it.
type checkpointRecord struct{ key, value []byte }

// checkpointRecords are sorted by key.
func (d *Disk) checkpointRecords(checkpoints map[int32]Checkpoint) []checkpointRecord {
	var records []checkpointRecord
	for _, partition := range slices.Sorted(maps.Keys(checkpoints)) {
		records = append(records, checkpointRecord{
			key:   appendCheckpointKey(nil, d.layout, partition),
			value: appendCheckpoint(nil, checkpoints[partition]),
		})
	}
	return records
}

// keyWriter is what a sorted file and a batch of the database have in common.
type keyWriter interface {
	merge(key, value []byte) error
	set(key, value []byte) error
}

// writeTo writes a sorted batch and its checkpoints in the order of keys.
func (b *diskBatch) writeTo(to keyWriter, checkpoints []checkpointRecord) error {
	upTo := func(key []byte) error {
		for len(checkpoints) > 0 && (key == nil || bytes.Compare(checkpoints[0].key, key) < 0) {
			if err := to.set(checkpoints[0].key, checkpoints[0].value); err != nil {
				return err
			}
			checkpoints = checkpoints[1:]
		}
		return nil
	}
	err := b.sessions(func(key, value []byte) error {
		if err := upTo(key); err != nil {
			return err
		}
		return to.merge(key, value)
	})
	if err != nil {
		return err
	}
	return upTo(nil)
}

// apply passes a batch through the database's memory.
func (d *Disk) apply(b *diskBatch, checkpoints []checkpointRecord) error {
	changes := d.db.NewBatchWithSize(b.used + b.used/4)
	err := b.writeTo(batchWriter{changes}, checkpoints)
	if err == nil {
		err = d.db.Apply(changes, pebble.NoSync)
	}
	if err = errors.Join(err, changes.Close()); err != nil {
		return d.failed("write", err)
	}
	d.flushing.pending.Add(int64(len(b.entries)))
	d.flushing.dirty.Store(true)
	return nil
}

type batchWriter struct{ batch *pebble.Batch }

func (w batchWriter) merge(key, value []byte) error { return w.batch.Merge(key, value, nil) }
func (w batchWriter) set(key, value []byte) error   { return w.batch.Set(key, value, nil) }

// ingest writes a batch as a sorted file, which then becomes one of the database's.
func (d *Disk) ingest(b *diskBatch, checkpoints []checkpointRecord) error {
	d.compactions.wait()
	path := d.files.fs.PathJoin(d.files.runs(), fmt.Sprintf("%d.sst", d.run.Add(1)))
	if err := d.writeRun(path, b, checkpoints); err != nil {
		if removed := d.files.fs.Remove(path); removed != nil {
			err = errors.Join(err, removed)
		}
		return d.failed("write", cannotWrite(d.config.Dir, err))
	}
	if err := d.db.Ingest(context.Background(), []string{path}); err != nil {
		return d.failed("write", cannotWrite(d.config.Dir, errors.Join(err, d.files.fs.Remove(path))))
	}
	// It may only be queued behind changes that are in memory.
	d.flushing.dirty.Store(true)
	return nil
}

func (d *Disk) writeRun(path string, b *diskBatch, checkpoints []checkpointRecord) error {
	file, err := d.files.fs.Create(path, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	run := sstable.NewWriter(objstorageprovider.NewFileWritable(file), d.options.MakeWriterOptions(0, d.db.TableFormat()))
	return errors.Join(b.writeTo(runWriter{run}, checkpoints), run.Close())
}

type runWriter struct{ run *sstable.Writer }

func (w runWriter) merge(key, value []byte) error { return w.run.Merge(key, value) }
func (w runWriter) set(key, value []byte) error   { return w.run.Set(key, value) }
