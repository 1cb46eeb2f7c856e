package sessions

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// stopInRestore starts a table that is stopped before it has read everything.
func (i *instance) stopInRestore() error {
	if err := i.end(false); err != nil {
		return err
	}
	held := i.brake.hold(i.w.rand.IntN(6))
	i.start()
	p, has := i.onePartition()
	if !has {
		i.brake.letGo()
		return nil
	}
	ctx, cancel := context.WithTimeout(i.w.t.Context(), long)
	defer cancel()
	open := make(chan error, 1)
	gate := i.gate()
	go func() { open <- gate.Wait(ctx, p) }()
	select {
	case <-held:
		i.w.did("instance %d is held in its restore", i.name)
	case err := <-open:
		if err != nil {
			return fmt.Errorf("instance %d: the gate of a restore does not open: %w", i.name, err)
		}
	}
	return i.restart(i.w.one(3))
}

// hold holds a table with records in hand, and lets things happen meanwhile.
func (i *instance) hold() error {
	w := i.w
	p, has := i.onePartition()
	if !has || w.written+10 > maxWritten || w.stable()[p] != w.partitions[p].end {
		return nil
	}
	held := i.brake.hold(w.rand.IntN(2))
	defer i.brake.letGo()
	// The last but one is held if nothing before it is.
	entries := []*entry{w.record(p + 1), w.record(p + 1), w.record(p + 1), w.record(p + 1)}
	session := pick(w.rand, w.sessions...)
	for _, e := range entries {
		e.partition = p
		if w.one(2) {
			e.session = session
		}
	}
	entries[0].kind, entries[2].kind = Put, Put
	w.write(nil, entries...)
	select {
	case <-held:
	case err := <-i.ended:
		i.ended <- err
		return fmt.Errorf("the table ended by itself: %w", err)
	}
	w.did("instance %d is held in partition %d", i.name, p)
	if w.rebalancing {
		i.comeBack(p)
	}
	for range w.rand.IntN(3) {
		if err := i.whileHeld(p); err != nil {
			return err
		}
	}
	if w.one(4) {
		return i.restart(w.one(2))
	}
	i.brake.letGo()
	w.did("instance %d goes on", i.name)
	if w.one(3) {
		return i.judge(p)
	}
	if i.brake.pace > 0 {
		time.Sleep(time.Duration(w.rand.Int64N(int64(8 * i.brake.pace))))
	}
	return i.restart(w.one(3))
}

// whileHeld lets something happen to a partition whose records the table has in hand.
func (i *instance) whileHeld(p int32) error {
	w := i.w
	switch w.rand.IntN(6) {
	case 0:
		w.deleteRecords(p)
		return i.tryToJudge(p)
	case 1:
		w.compact()
		return i.tryToJudge(p)
	case 2:
		w.writeSome(nil)
	case 3, 4:
		i.comeBack(p)
	case 5:
		return i.tryToJudge(p)
	}
	return nil
}

// tryToJudge judges if the gate opens, which it need not do while the table is held.
func (i *instance) tryToJudge(p int32) error {
	patience := 3 * time.Second
	if i.w.Real() {
		patience = 300 * time.Millisecond
	}
	g := i.gate()
	switch err := i.wait(g, p, patience); {
	case err == nil:
		return i.look(g, p, i.w.rand, i.w.sessions...)
	case errors.Is(err, context.DeadlineExceeded):
		i.w.did("instance %d: the gate is shut", i.name)
		return nil
	default:
		return err
	}
}
