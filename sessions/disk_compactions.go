package sessions

import (
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

const (
	// loadingFor is how long after a bulk commit another one is expected.
	loadingFor = 2 * time.Second
	// loadingRuns is how many files may wait to be brought together while a table is filled. A lookup looks into
	// each of them.
	loadingRuns = 48
	// compactEvery is how soon a compaction that had to wait is begun when it no longer has to.
	compactEvery = 100 * time.Millisecond
)

// compactions say when the database may bring files together. While a table is filled they wait: a compaction would
// only bring together what the next bulk commits take apart again, and take the processor from them.
type compactions struct {
	// loading is the constant loadingFor, but in tests that force compactions.
	loading time.Duration
	db      pebble.DBForCompaction
	stop    chan struct{}
	stopped sync.WaitGroup

	// mu guards the rest. Of the database, only GetAllowedWithoutPermission is called under it.
	mu      sync.Mutex
	waits   time.Time // until when they wait
	runs    int       // bulk commits for which they waited
	running int
	closed  bool
}

var _ pebble.CompactionScheduler = (*compactions)(nil)

// wait holds compactions back for a moment. It is called for each bulk commit.
func (c *compactions) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = time.Now().Add(c.loading)
	c.runs++
}

// begin counts one more compaction, when one may begin.
func (c *compactions) begin() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !time.Now().Before(c.waits) {
		c.runs = 0
	}
	waits := c.runs > 0 && c.runs <= loadingRuns
	if c.closed || waits || c.running >= c.db.GetAllowedWithoutPermission() {
		return false
	}
	c.running++
	return true
}

// Register implements pebble.CompactionScheduler.
func (c *compactions) Register(_ int, db pebble.DBForCompaction) {
	c.mu.Lock()
	c.db, c.closed = db, false
	c.mu.Unlock()
	c.stop = make(chan struct{})
	c.stopped.Go(func() {
		ticker := time.NewTicker(compactEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				c.schedule()
			case <-c.stop:
				return
			}
		}
	})
}

// Unregister implements pebble.CompactionScheduler.
func (c *compactions) Unregister() {
	close(c.stop)
	c.stopped.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// TrySchedule implements pebble.CompactionScheduler.
func (c *compactions) TrySchedule() (bool, pebble.CompactionGrantHandle) {
	if !c.begin() {
		return false, nil
	}
	return true, c
}

// UpdateGetAllowedWithoutPermission implements pebble.CompactionScheduler. The next tick sees it.
func (c *compactions) UpdateGetAllowedWithoutPermission() {}

// schedule begins the compactions that the database has waiting.
func (c *compactions) schedule() {
	for {
		if waiting, _ := c.db.GetWaitingCompaction(); !waiting || !c.begin() {
			return
		}
		if !c.db.Schedule(c) {
			c.Done()
			return
		}
	}
}

// Done implements pebble.CompactionGrantHandle, as do the others below.
func (c *compactions) Done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
}

// Started implements pebble.CompactionGrantHandle.
func (c *compactions) Started() {}

// MeasureCPU implements pebble.CompactionGrantHandle.
func (c *compactions) MeasureCPU(pebble.CompactionGoroutineKind) {}

// CumulativeStats implements pebble.CompactionGrantHandle.
func (c *compactions) CumulativeStats(pebble.CompactionGrantHandleStats) {}
