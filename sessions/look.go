package sessions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Finding is what the click table knows of one session, and its verdict on an order of that session.
type Finding struct {
	History
	// Click is the one that counts; of a miss the zero Click.
	Click schema.Click
	// Reason is why no click counts; empty when one does.
	Reason schema.Reason
}

// ErrElsewhere is in the error of a Look for a session whose clicks this instance does not read. Another one does.
var ErrElsewhere = errors.New("the clicks of the session are not read by this instance")

// Look is Lookup for people: everything that is known of the session, and the verdict on an order of it that is
// confirmed at that time. It waits for a gate of its own, so it knows every click that was there when it was
// called. A Copartitioned table looks into the partition where the partitioner puts the session, and gives an
// ErrElsewhere that names it when that is not followed.
//
// When ctx ends first, the error says what keeps the table, with context.Cause of ctx in it. The caller must not
// change the clicks that it gets.
func (t *Table) Look(ctx context.Context, session string, at time.Time) (Finding, error) {
	if session == "" {
		return Finding{Reason: schema.ReasonNoSession}, nil
	}
	partition, err := t.home(ctx, session)
	if err != nil {
		return Finding{}, err
	}
	if t.Gate().Wait(ctx, partition) != nil {
		// A partition that went to another instance meanwhile would never have opened the gate.
		if err := t.followed(partition); err != nil {
			return Finding{}, err
		}
		return Finding{}, t.kept(ctx)
	}
	history, err := t.history(partition, session)
	if err != nil {
		return Finding{}, err
	}
	click, reason := judge(history, at, t.config.Window)
	return Finding{History: history, Click: click, Reason: reason}, nil
}

// Behind is how many records of the click topic the table has yet to read before it is as fresh as those who wait
// for it need. It is 0 when nobody waits, and until the topic was listed.
func (t *Table) Behind() int64 { return t.progress.behind() }

// home is the partition to look for the session in.
func (t *Table) home(ctx context.Context, session string) (int32, error) {
	if t.config.Layout == Global {
		return 0, nil
	}
	if t.partitions.Load() == 0 {
		// It is known once the topic was listed.
		select {
		case <-t.lister.request().listed:
		case <-ctx.Done():
			return 0, t.kept(ctx)
		}
	}
	partition := int32(t.config.Partitioner([]byte(session), int(t.partitions.Load())))
	return partition, t.followed(partition)
}

// followed is nil when the table reads the partition.
func (t *Table) followed(partition int32) error {
	if t.config.Layout == Global || slices.Contains(t.ours.list(), partition) {
		return nil
	}
	return fmt.Errorf("%w: they are in partition %d of topic %s, and partition %[2]d of topic %[4]s is assigned to another instance or to none",
		ErrElsewhere, partition, t.config.Topic, t.config.Orders)
}

// kept says what keeps a table from being fresh in time.
func (t *Table) kept(ctx context.Context) error {
	if trouble := t.Ready(); trouble != nil {
		return fmt.Errorf("%w (%w)", trouble, context.Cause(ctx))
	}
	return fmt.Errorf("the click table has not read topic %s up to its end: %d records to go (%w)", t.config.Topic, t.Behind(), context.Cause(ctx))
}

// history asks the store, and lets Run end where that found itself damaged.
func (t *Table) history(partition int32, session string) (History, error) {
	history, err := t.store.History(partition, session)
	if errors.Is(err, ErrDamaged) {
		select {
		case t.damaged <- err:
		default:
		}
	}
	return history, err
}
