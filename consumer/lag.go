package consumer

import "time"

// standing is one of our partitions as it stands now.
type standing struct {
	Partition int32
	// Committed and Next are -1 while unknown, and so is End, the last stable offset as last sampled.
	Committed, Next, End int64
	// Pending counts the orders in memory without an outcome, Held those of them that a mass rule holds.
	Pending, Held int
	// Oldest is the record time of the lowest order without an outcome, zero when there is none.
	Oldest time.Time
	// Moved and Advanced are when the partition and its committed offset last made progress, or had nothing to do.
	Moved, Advanced time.Time
}

// workLag is how many orders have no outcome: those in memory and those not read yet.
func (s standing) workLag() int64 {
	if s.End < 0 || s.Next < 0 {
		return int64(s.Pending)
	}
	return int64(s.Pending) + max(0, s.End-s.Next)
}

// commitLag is how many orders lie past the committed offset.
func (s standing) commitLag() int64 {
	if s.End < 0 || s.Committed < 0 {
		return int64(s.Pending)
	}
	return max(0, s.End-s.Committed)
}

func (c *Consumer) standings() []standing {
	lives := c.allLives()
	standings := make([]standing, len(lives))
	for i, l := range lives {
		standings[i] = l.standing()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, s := range standings {
		if end, ok := c.ends[s.Partition]; ok {
			standings[i].End = end
		}
	}
	return standings
}

// Lag is how much work is left in our partitions.
type Lag struct {
	// Work counts orders without an outcome, Commit those past the committed offset.
	Work, Commit int64
	// Oldest is the record time of the oldest order in memory without an outcome, zero when there is none.
	Oldest time.Time
}

// Lag sums up our partitions. While we have lost them because Kafka is away it is what it was then: an alert on
// lag must not end because things got worse.
func (c *Consumer) Lag() Lag {
	c.mu.Lock()
	lost := c.lost
	c.mu.Unlock()
	if lost != nil {
		return *lost
	}
	var lag Lag
	for _, s := range c.standings() {
		lag.Work += s.workLag()
		lag.Commit += s.commitLag()
		if !s.Oldest.IsZero() && (lag.Oldest.IsZero() || s.Oldest.Before(lag.Oldest)) {
			lag.Oldest = s.Oldest
		}
	}
	return lag
}
