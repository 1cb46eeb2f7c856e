package relay_test

import (
	"sync"
	"testing"
)

// clickDirs are the directories of relays that have stopped.
type clickDirs struct {
	mu   sync.Mutex
	idle []string
}

// claim gives a relay a directory for its clicks that no other one uses: that of one that has stopped, as on a
// machine that restarts it, or a new one.
func (d *clickDirs) claim(t *testing.T) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if n := len(d.idle); n > 0 {
		dir := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return dir
	}
	return t.TempDir()
}

func (d *clickDirs) free(dir string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.idle = append(d.idle, dir)
}
