package sessions

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// flushInterval is how long changes stay in memory only. It bounds what is read again after a crash; every flush
// makes another file, which the database sooner or later rewrites a good part of the others for.
const flushInterval = 5 * time.Minute

// flushing brings changes from memory to the files.
type flushing struct {
	// dirty: there are changes since the last flush began.
	dirty atomic.Bool
	// pending is about how many changes of sessions are in memory only.
	pending atomic.Int64
	// failure holds the latest error of background work until somebody waits for a flush.
	failure chan error
	// taken is how much of pending the running flush takes; the database runs one at a time.
	taken int64

	stop chan struct{}
	done sync.WaitGroup
}

// begun and ended follow the database's flushes.
func (f *flushing) begun(info pebble.FlushInfo) {
	if !info.Ingest {
		f.taken = f.pending.Load()
	}
}

// ended reports whether the flush wrote something.
func (f *flushing) ended(info pebble.FlushInfo) bool {
	if info.Err != nil || info.Ingest {
		return false
	}
	f.pending.Add(-f.taken)
	return true
}

// backgroundError takes an error that the database met on its own.
func (d *Disk) backgroundError(disk *patientFS, err error) {
	if isDamage(err) {
		_ = d.damaged(disk, err)
	} else {
		d.config.Log.Warn("the click table's database failed at its own work and tries again", "error", firstLine(err))
	}
	select {
	case d.flushing.failure <- err:
	default:
	}
}

// startFlushing flushes at an interval until stopFlushing.
func (d *Disk) startFlushing() {
	ticks, stopTicks := d.flushAfter, func() {}
	if ticks == nil {
		ticker := time.NewTicker(flushInterval)
		ticks, stopTicks = ticker.C, ticker.Stop
	}
	d.flushing.stop = make(chan struct{})
	d.flushing.done.Go(func() {
		defer stopTicks()
		for {
			select {
			case <-d.flushing.stop:
				return
			case <-ticks:
				// What goes wrong is in Healthy, and the changes are tried again with the next tick.
				_ = d.flush()
			}
		}
	})
}

func (d *Disk) stopFlushing() {
	close(d.flushing.stop)
	d.flushing.done.Wait()
}

// errStopped ends the wait for a flush.
var errStopped = errors.New("stopped")

// flush brings everything to the files, when there is something and the disk takes it.
func (d *Disk) flush() error {
	f := &d.flushing
	if err := d.disk.Load().troubled(); err != nil {
		// Each try would put another piece of memory into the queue that does not get shorter.
		return err
	}
	if !f.dirty.Swap(false) {
		return nil
	}
	select {
	case <-f.failure:
	default:
	}
	flushed, err := d.db.AsyncFlush()
	if err == nil {
		select {
		case <-flushed:
		case err = <-f.failure:
		case <-f.stop:
			err = errStopped
		}
	}
	if err != nil {
		f.dirty.Store(true)
	}
	return err
}
