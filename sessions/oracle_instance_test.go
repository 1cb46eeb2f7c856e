package sessions

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// instance is one process with a table, which may stop, crash and start again.
type instance struct {
	w     *world
	name  int
	shelf shelf
	brake *brake
	// ours are the partitions that a Copartitioned instance follows.
	ours map[int32]bool

	table *Table
	ended chan error
	stop  context.CancelFunc

	// minds are what its store may know, and kept is that as of the moment that a crash goes back to; by partition,
	// or under everywhere.
	minds, kept map[int32]*mind
}

// everywhere is the mind of a Global store, which knows all partitions together.
const everywhere int32 = -1

func (w *world) newInstance() *instance {
	i := &instance{w: w, name: len(w.instances), shelf: w.newShelf(), ours: map[int32]bool{}, minds: map[int32]*mind{}}
	i.brake = newBrake()
	if !w.Real() && w.one(2) {
		i.brake.pace = time.Duration(1+w.rand.IntN(40)) * time.Millisecond
	}
	w.did("instance %d keeps its store in %T, decodes in %s", i.name, i.shelf, i.brake.pace)
	return i
}

// start starts the table.
func (i *instance) start() {
	w := i.w
	w.t.Helper()
	if !i.shelf.survives() || w.forgetful {
		clear(i.minds)
	}
	config := w.config()
	config.Decode = i.brake.decoder(w.decode)
	config.BatchMemory = pick[int64](w.rand, 1, 1<<20)
	fetch := pick[int32](w.rand, 1, 200, 1<<20)
	config.Client = append(config.Client, kgo.FetchMaxPartitionBytes(fetch))
	store := i.shelf.open(w)
	if w.broken != nil && w.broken.store != nil {
		store = w.broken.store(store)
	}
	table, err := Open(config, &slowStore{Store: store, brake: i.brake})
	require.NoError(w.t, err)
	ctx, stop := context.WithCancel(context.Background())
	i.table, i.ended, i.stop = table, make(chan error, 1), stop
	go func() { i.ended <- table.Run(ctx) }()
	w.did("instance %d started, batches of %d bytes, fetches of %d", i.name, config.BatchMemory, fetch)
	if w.layout == Global {
		i.read(everywhere)
		return
	}
	for _, p := range i.followed() {
		i.follow(p)
	}
}

// read notes that the table begins to read into a part of its store.
func (i *instance) read(scope int32) {
	if i.minds[scope] == nil {
		i.minds[scope] = newMind(i.w.removals)
	}
}

func (i *instance) followed() []int32 { return slices.Sorted(maps.Keys(i.ours)) }

func (i *instance) follow(p int32) {
	i.w.did("instance %d follows %d", i.name, p)
	i.ours[p] = true
	if i.w.forgetful {
		delete(i.minds, p)
	}
	i.read(p)
	i.table.Follow(p)
}

func (i *instance) unfollow(p int32) {
	i.w.did("instance %d unfollows %d", i.name, p)
	delete(i.ours, p)
	i.table.Unfollow(p)
}

// end stops the table, in order or not.
func (i *instance) end(crash bool) error {
	i.w.t.Helper()
	if i.table == nil {
		return nil
	}
	i.stop()
	err := <-i.ended
	i.table.Close()
	i.brake.letGo()
	i.table = nil
	err = errors.Join(err, i.shelf.close(crash))
	if crash {
		i.minds = i.recall()
	} else {
		i.remember()
	}
	i.w.did("instance %d ended, crash %t", i.name, crash)
	if err != nil {
		return fmt.Errorf("ending instance %d: %w", i.name, err)
	}
	return nil
}

// flush makes what the store has now outlive a crash.
func (i *instance) flush() error {
	if err := i.shelf.flush(); err != nil {
		return err
	}
	i.remember()
	i.w.did("instance %d flushed", i.name)
	return nil
}

func (i *instance) remember() {
	i.kept = map[int32]*mind{}
	for scope, m := range i.minds {
		i.kept[scope] = m.clone()
	}
}

// recall is what the store may know after a crash: at least what it had when it was last flushed.
func (i *instance) recall() map[int32]*mind {
	minds := map[int32]*mind{}
	for scope, m := range i.minds {
		if kept := i.kept[scope]; kept != nil && kept.born == m.born {
			minds[scope] = kept.clone()
		} else {
			minds[scope] = newMind(m.born)
		}
	}
	return minds
}

// scope is which mind and which partitions count for the orders of a partition.
func (i *instance) scope(p int32) (scope int32, partitions []int32) {
	if i.w.layout == Copartitioned {
		return p, []int32{p}
	}
	for n := range i.w.partitions {
		partitions = append(partitions, int32(n))
	}
	return everywhere, partitions
}

// gate is a gate that was taken, and the end of what must be known behind it.
type gate struct {
	*Gate
	from map[int32]int64
}

func (i *instance) gate() gate { return gate{i.table.Gate(), i.w.stable()} }

// wait waits for the gate. It fails when the gate does not open, or the table ends.
func (i *instance) wait(g gate, p int32, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(i.w.t.Context(), patience)
	defer cancel()
	if i.w.broken != nil && i.w.broken.open {
		return nil
	}
	waited := make(chan error, 1)
	go func() { waited <- g.Wait(ctx, p) }()
	select {
	case err := <-waited:
		return err
	case err := <-i.ended:
		i.ended <- err
		return fmt.Errorf("the table ended by itself: %w", err)
	}
}

// look looks sessions up behind an open gate, for a few orders each, and compares with the oracle.
func (i *instance) look(g gate, p int32, random *rand.Rand, sessions ...string) error {
	for _, session := range sessions {
		answers := map[time.Time]answer{}
		for _, at := range orderTimes(random, i.w.of(session)) {
			click, reason, err := i.table.Lookup(p, session, at)
			if err != nil {
				return fmt.Errorf("looking %s up: %w", session, err)
			}
			answers[at] = answer{click.ID, reason}
		}
		if err := i.compare(g, p, session, answers); err != nil {
			return err
		}
	}
	i.w.did("instance %d judged in partition %d", i.name, p)
	return nil
}

// compare compares what the table said of a session with the oracle.
func (i *instance) compare(g gate, p int32, session string, answers map[time.Time]answer) error {
	w, to, its := i.w, i.w.readable(), i.w.of(session)
	w.mu.Lock()
	defer w.mu.Unlock()
	scope, partitions := i.scope(p)
	known := i.minds[scope].behind(&w.topicLog, session, partitions, g.from, to)
	for at, seen := range answers {
		possible := known.possible(at)
		if !slices.Contains(possible, seen) {
			return fmt.Errorf("instance %d, order of %s at %s in partition %d: the table says %s, the oracle %v\nits records:%s\nwhat the store may know:%s",
				i.name, session, oracleTime(at), p, seen, possible, lines(its), worldNames(known))
		}
		known = known.given(at, seen)
	}
	// Where the table need not have read everything, it may still learn what it did not know.
	undecided := func(e *entry) bool { return e.offset >= g.from[e.partition] && e.offset < to[e.partition] }
	if !slices.ContainsFunc(its, undecided) {
		i.minds[scope].beliefs[session] = known
	}
	return nil
}

func lines(entries []*entry) (all string) {
	for _, e := range entries {
		all += "\n  " + e.String()
	}
	return all
}

func worldNames(b belief) (all string) {
	for _, world := range b.worlds {
		all += "\n  {" + names(world) + " }"
	}
	return all
}

// judge takes a gate, waits for it and looks everything up.
func (i *instance) judge(p int32) error {
	g := i.gate()
	if err := i.wait(g, p, long); err != nil {
		return fmt.Errorf("instance %d, partition %d: the gate does not open: %w", i.name, p, err)
	}
	return i.look(g, p, i.w.rand, i.w.sessions...)
}

// judgeAll does so for every partition that the instance has.
func (i *instance) judgeAll() error {
	if i.w.layout == Global {
		return i.judge(0)
	}
	for _, p := range i.followed() {
		if err := i.judge(p); err != nil {
			return err
		}
	}
	return nil
}
