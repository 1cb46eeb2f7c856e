package consumer

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// trailsKept is how many orders that have left are remembered, and as many again of those that CJ did not acknowledge:
// a thousand good ones must not hide the one that somebody asks about. About a kilobyte each.
const trailsKept = 1_000

// trails are those of orders that have left. It is safe for concurrent use.
type trails struct {
	mu    sync.Mutex
	good  ring
	other ring
}

// ring keeps the latest of what it is given.
type ring struct {
	all  []*trail
	next int
}

func (r *ring) add(t *trail) {
	if len(r.all) < trailsKept {
		r.all = append(r.all, t)
		return
	}
	r.all[r.next] = t
	r.next = (r.next + 1) % trailsKept
}

// left takes the trail of an order that has left.
func (t *trails) left(one *trail) {
	one.doing("")
	t.mu.Lock()
	defer t.mu.Unlock()
	if one.look().Outcome == schema.Acknowledged {
		t.good.add(one)
	} else {
		t.other.add(one)
	}
}

// committed notes that the group has committed a partition up to an offset.
func (t *trails) committed(partition int32, offset int64, now time.Time) {
	for _, one := range t.all() {
		one.change(func(is *Trail) {
			last := len(is.Steps) - 1
			if is.Partition == partition && is.Offset < offset && is.Steps[last].What == StepWritten {
				is.Steps = append(is.Steps, Step{At: now, What: StepCommitted})
			}
		})
	}
}

func (t *trails) all() []*trail {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Concat(t.good.all, t.other.all)
}

// Trails are the orders that this process knows and that pass the filter, latest first, limit at most: all that have
// no outcome, the latest thousand that CJ acknowledged, and the latest thousand others. The filter must not keep what
// it is given. Safe for concurrent use.
func (c *Consumer) Trails(limit int, filter func(Trail) bool) []Trail {
	found := make([]Trail, 0, min(limit, trailsKept))
	for _, one := range c.underWay() {
		// One that has just left is among the others, too.
		if is := one.look(); is.Doing != "" && filter(is) {
			found = append(found, is)
		}
	}
	for _, one := range c.trails.all() {
		if is := one.look(); filter(is) {
			found = append(found, is)
		}
	}
	slices.SortFunc(found, func(a, b Trail) int {
		return cmp.Or(b.Steps[len(b.Steps)-1].At.Compare(a.Steps[len(a.Steps)-1].At), cmp.Compare(a.Partition, b.Partition), cmp.Compare(b.Offset, a.Offset))
	})
	return found[:min(limit, len(found))]
}

// underWay are the trails of the orders without an outcome.
func (c *Consumer) underWay() []*trail {
	var all []*trail
	for _, l := range c.allLives() {
		l.mu.Lock()
		for _, p := range l.passages {
			all = append(all, p.trail)
		}
		l.mu.Unlock()
	}
	return all
}
