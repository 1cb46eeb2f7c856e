package consumer

import (
	"maps"
	"slices"
	"time"
)

// View is this process as it stands now, for people.
type View struct {
	// Partitions are ours, in rising order.
	Partitions []PartitionView
	// Paused are the reasons for which fetching pauses everywhere.
	Paused []PauseReason
	// InMemory orders have no outcome yet; MaxInMemory is their bound.
	InMemory, MaxInMemory int
	// Rules are the mass rules of all stages, in an order's way.
	Rules []RuleView
	// Circuit is the circuit's state since a time, oldest first; the last one is the state now.
	Circuit []Turn
}

// PartitionView is one partition as it stands now. Offsets are -1 while unknown.
type PartitionView struct {
	Partition int32
	// Committed is the group's offset, Next the next one to read, End the last stable offset as last sampled.
	Committed, Next, End int64
	// Done are the ranges above Committed that have an outcome, at most ribbonParts of them.
	Done []Range
	// Pending is what each order without an outcome is at, lowest offset first, at most ribbonParts of them;
	// Counts has them all.
	Pending []Pending
	Counts  map[Doing]int
	// Oldest is the record time of the lowest order without an outcome, zero when there is none.
	Oldest time.Time
	// Paused are the reasons for which it alone pauses.
	Paused []PauseReason
	// Stopped says why it waits for a person, nil otherwise.
	Stopped error
}

// Range is the offsets from From up to but not including To.
type Range struct{ From, To int64 }

// Pending is an order without an outcome.
type Pending struct {
	Offset int64
	Doing  Doing
}

// RuleView is how the mass rule stands at one stage.
type RuleView struct {
	Stage string
	// Held orders were rejected there and have no outcome. Rejected of the Latest distinct orders were.
	Held, Rejected, Latest int
	// Everything: half or more are rejected, so none is dead-lettered. Stopped: an operator wants no more tries.
	Everything, Stopped bool
	// Since is when that began, and Why the latest rejection; they mean nothing while neither holds.
	Since time.Time
	Why   error
}

// ribbonParts bounds what is listed of one partition: more cannot be told apart on a screen.
const ribbonParts = 300

// View is what people are shown. Safe for concurrent use.
func (c *Consumer) View() View {
	v := View{InMemory: c.bounds.orders(), MaxInMemory: c.config.MaxPending, Circuit: c.turns.all(c.config.Breaker.State())}
	c.mu.Lock()
	stopped, pauses := maps.Clone(c.stopped), c.pauses
	c.mu.Unlock()
	if pauses == nil { // before Run
		pauses = newPauses(nil, "")
	}
	v.Paused = pauses.ofProcess()
	for _, s := range c.standings() {
		p := PartitionView{
			Partition: s.Partition, Committed: s.Committed, Next: s.Next, End: s.End, Oldest: s.Oldest,
			Paused: pauses.ofPartition(s.Partition), Stopped: stopped[s.Partition], Counts: map[Doing]int{},
		}
		if l := c.life(s.Partition); l != nil {
			l.show(&p)
		}
		v.Partitions = append(v.Partitions, p)
	}
	slices.SortFunc(v.Partitions, func(a, b PartitionView) int { return int(a.Partition - b.Partition) })
	for _, at := range stages {
		s := c.rules[at].state()
		v.Rules = append(v.Rules, RuleView{
			Stage: string(at), Held: s.Held, Rejected: s.Rejected, Latest: s.Latest, Everything: s.Everything, Stopped: s.Stopped, Since: s.Since, Why: s.Why,
		})
	}
	return v
}

// show tells what each order is at.
func (l *life) show(p *PartitionView) {
	l.mu.Lock()
	done := l.tracker.above()
	if at := l.tracker.watermark(); l.committed.offset >= 0 && at > l.committed.offset {
		done = append(spans{{l.committed.offset, at}}, done...)
	}
	trails := make(map[int64]*trail, len(l.passages))
	for offset, passage := range l.passages {
		trails[offset] = passage.trail
	}
	l.mu.Unlock()
	for _, one := range done[:min(len(done), ribbonParts)] {
		p.Done = append(p.Done, Range{one.from, one.to})
	}
	for offset, one := range trails {
		doing := one.look().Doing
		p.Counts[doing]++
		p.Pending = append(p.Pending, Pending{offset, doing})
	}
	slices.SortFunc(p.Pending, func(a, b Pending) int { return int(a.Offset - b.Offset) })
	p.Pending = p.Pending[:min(len(p.Pending), ribbonParts)]
}
