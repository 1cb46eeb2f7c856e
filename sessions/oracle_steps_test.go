package sessions

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// scenario runs tables through everything that may happen to a click topic and to them. The error is the first thing
// that is not as the oracle says.
func (w *world) scenario(steps int) error {
	w.t.Helper()
	defer w.stopAll()
	if w.one(2) {
		// A topic that is there before its tables.
		for range 5 {
			w.writeSome(nil)
		}
	}
	for p := range w.partitions {
		pick(w.rand, w.instances...).ours[int32(p)] = true
	}
	for _, i := range w.instances {
		i.start()
	}
	for range steps {
		if err := w.step(); err != nil {
			return err
		}
	}
	for len(w.running) > 0 {
		w.end(0, w.one(2))
	}
	w.t.Logf("%d records, %d times some were removed", w.written, w.removals)
	for _, i := range w.instances {
		if i.table == nil {
			i.start()
		}
		if err := i.judgeAll(); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) stopAll() {
	for _, i := range w.instances {
		_ = i.end(false)
	}
	for _, in := range w.running {
		in.client.Close()
	}
}

// step does one thing.
func (w *world) step() error {
	i := pick(w.rand, w.instances...)
	if i.table == nil && w.one(2) {
		i.start()
		return nil
	}
	if w.rebalancing && i.table != nil && w.one(2) {
		return i.hold()
	}
	// The removals of a real topic take seconds.
	removal := 4
	if w.Real() {
		removal = 1
	}
	var do func() error
	for chosen := w.rand.IntN(60 + 2*removal); do == nil; chosen = w.rand.IntN(60) {
		switch {
		case chosen >= 60+removal:
			do = func() error { w.deleteRecords(w.anyPartition()); return nil }
		case chosen >= 60:
			do = func() error { w.compact(); return nil }
		case chosen < 16:
			do = func() error { w.writeSome(nil); return nil }
		case chosen < 22:
			do = w.transact
		case i.table == nil:
		case chosen < 40:
			do = i.judgeSome
		case chosen < 44:
			do = i.judgeLate
		case chosen < 48:
			do = func() error { return i.restart(w.one(3)) }
		case chosen < 50:
			do = i.stopInRestore
		case chosen < 54:
			do = i.hold
		case chosen < 55:
			do = i.flush
		case chosen < 58:
			do = i.reassign
		case chosen < 59:
			do = func() error { return i.end(w.one(2)) }
		default:
			do = w.pause
		}
	}
	return do()
}

func (w *world) anyPartition() int32 { return int32(w.rand.IntN(len(w.partitions))) }

// pause lets time go by where it costs none.
func (w *world) pause() error {
	switch {
	case w.layout == Global && len(w.partitions) < 4 && w.one(3):
		w.addPartition()
	case !w.Real():
		time.Sleep(time.Duration(w.rand.IntN(2000)) * time.Millisecond)
		w.did("paused")
	}
	return nil
}

// maxWritten keeps the clicks fewer than those after which an order may be called stray.
const maxWritten = AgreeingEnough - 10

// writeSome writes one record, or a few in one go.
func (w *world) writeSome(in *transaction) {
	w.t.Helper()
	records := 1
	if w.one(3) {
		records += w.rand.IntN(4)
	}
	if w.written+records > maxWritten {
		return
	}
	partitions := int32(len(w.partitions))
	if in != nil {
		partitions = in.partitions
	}
	var entries []*entry
	for range records {
		entries = append(entries, w.record(partitions))
	}
	w.write(in, entries...)
}

// record makes up a record. Few times and few sessions, so that they meet.
func (w *world) record(partitions int32) *entry {
	e := w.recordOf(w.rand, pick(w.rand, w.sessions...), partitions)
	if w.one(15) {
		e.partition = w.rand.Int32N(partitions)
	}
	return e
}

func (w *world) recordOf(random *rand.Rand, session string, partitions int32) *entry {
	e := &entry{session: session, id: fmt.Sprintf("click%d", w.ids.Add(1)), at: aTime(random)}
	e.partition = int32(w.place([]byte(e.session), int(partitions)))
	switch random.IntN(12) {
	case 0, 1:
		e.kind = Erase
	case 2:
		e.kind = Spoil
	case 3, 4:
		// The same click again.
		if earlier := w.of(e.session); len(earlier) > 0 {
			again := pick(random, earlier...)
			e.kind, e.id, e.at = again.kind, again.id, again.at
		}
	}
	return e
}

// aTime is one of few, on both sides of the orders' and of the end of the window.
func aTime(random *rand.Rand) time.Time {
	hours := pick(random, -25, -24, -3, -2, -2, -1, -1, -1, 0, 0, 1, 2)
	near := pick(random, 0, 0, 0, 0, -1, 1)
	return oracleEpoch.Add(time.Duration(hours)*time.Hour + time.Duration(near)*time.Millisecond)
}

// orderTimes are when a few orders of a session were confirmed: around its clicks and the end of their window.
func orderTimes(random *rand.Rand, clicks []*entry) []time.Time {
	times := []time.Time{oracleEpoch, aTime(random)}
	for _, e := range clicks {
		if random.IntN(2) == 0 {
			times = append(times, e.at.Add(pick(random, 0, 0, -time.Millisecond, time.Millisecond, oracleWindow, oracleWindow+time.Millisecond)))
		}
	}
	return times
}

// transact begins a transaction, goes on with one or ends one.
func (w *world) transact() error {
	switch {
	case len(w.running) == 0 || len(w.running) < 2 && w.one(3):
		w.writeSome(w.begin())
	case w.one(2):
		w.end(w.rand.IntN(len(w.running)), !w.one(3))
	default:
		w.writeSome(pick(w.rand, w.running...))
	}
	return nil
}

// judgeSome judges orders of one partition that the instance has.
func (i *instance) judgeSome() error {
	p, has := i.onePartition()
	if !has {
		return nil
	}
	return i.judge(p)
}

func (i *instance) onePartition() (p int32, has bool) {
	if i.w.layout == Global {
		return i.w.anyPartition(), true
	}
	if len(i.ours) == 0 {
		return 0, false
	}
	return pick(i.w.rand, i.followed()...), true
}

// judgeLate takes a gate, and waits for it after more has happened.
func (i *instance) judgeLate() error {
	w := i.w
	p, has := i.onePartition()
	if !has {
		return nil
	}
	g := i.gate()
	if w.one(2) {
		request(w.t, g.Gate)
	}
	w.did("instance %d took a gate", i.name)
	for range 1 + w.rand.IntN(3) {
		switch w.rand.IntN(8) {
		case 0:
			w.deleteRecords(w.anyPartition())
		case 1, 2:
			if err := w.transact(); err != nil {
				return err
			}
		default:
			w.writeSome(nil)
		}
	}
	if err := i.wait(g, p, long); err != nil {
		return fmt.Errorf("instance %d, partition %d: the late gate does not open: %w", i.name, p, err)
	}
	return i.look(g, p, w.rand, w.sessions...)
}

func (i *instance) restart(crash bool) error {
	if err := i.end(crash); err != nil {
		return err
	}
	if i.w.one(3) {
		i.w.writeSome(nil)
	}
	i.start()
	return nil
}

// comeBack takes a partition away from the instance and gives it back.
func (i *instance) comeBack(p int32) {
	if !i.ours[p] || i.w.layout == Global {
		return
	}
	i.unfollow(p)
	if i.w.one(3) {
		i.w.writeSome(nil)
	}
	i.follow(p)
}

// reassign moves a partition to this instance, as a rebalance does, or away and back.
func (i *instance) reassign() error {
	w := i.w
	if w.layout == Global {
		return nil
	}
	p := w.anyPartition()
	if i.ours[p] {
		i.comeBack(p)
		return nil
	}
	for _, other := range w.instances {
		switch {
		case !other.ours[p] || w.one(5):
		case other.table == nil:
			delete(other.ours, p)
		default:
			other.unfollow(p)
		}
	}
	i.follow(p)
	if w.one(2) {
		return i.judge(p)
	}
	return nil
}
