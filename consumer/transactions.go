package consumer

import (
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// openTooLong is how long a transaction may hold a partition up before that is called a stall. Brokers end one after its
// own time-out, 15 minutes at most where transaction.max.timeout.ms is as it comes. What is older hangs, and only a
// person ends it.
const openTooLong = 20 * time.Minute

// openTransaction is where a partition's last stable offset stands, with offsets behind it that nobody may read before a
// producer's transaction has ended. No lag counts these.
type openTransaction struct {
	stable, behind int64
	since          time.Time
}

// noteOpen compares the last stable offsets with the ends of all that was written, which must have been listed before
// them: what is written between two listings is in no transaction for that.
func (c *Consumer) noteOpen(stable, written kadm.ListedOffsets, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	open := map[int32]openTransaction{}
	for partition := range c.lives {
		at, known := stable.Lookup(c.config.Topic, partition)
		end, listed := written.Lookup(c.config.Topic, partition)
		if !known || !listed || end.Offset <= at.Offset {
			continue
		}
		one := openTransaction{stable: at.Offset, behind: end.Offset - at.Offset, since: now}
		if before, is := c.open[partition]; is && before.stable == at.Offset {
			one.since = before.since
		}
		open[partition] = one
	}
	c.open = open
}

// heldByTransactions is how many offsets of our partitions cannot be read yet.
func (c *Consumer) heldByTransactions() (offsets int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, one := range c.open {
		offsets += one.behind
	}
	return offsets
}

// hanging are the partitions that a transaction has held up for too long.
func (c *Consumer) hanging(now time.Time) map[int32]openTransaction {
	c.mu.Lock()
	defer c.mu.Unlock()
	hang := map[int32]openTransaction{}
	for partition, one := range c.open {
		if now.Sub(one.since) > openTooLong {
			hang[partition] = one
		}
	}
	return hang
}
