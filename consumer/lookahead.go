package consumer

// lookAhead says how far a partition is read on while the mass rule holds orders of it. The others are samples, and
// among them may be the good ones that prove the held ones bad; but held orders must not take all the room there
// is, or no sample comes in any more, not even from partitions that are well. It is not safe for concurrent use.
type lookAhead struct {
	// orders and bytes are what is held.
	orders, bytes int
	full          bool
}

// share is what the held orders of one partition may take.
type share struct{ orders, bytes int }

// shareOf is half the room of one of so many partitions, so that all of them together leave half of it free.
func shareOf(config Config, partitions int) share {
	partitions = max(1, partitions)
	return share{
		orders: max(1, min(config.MaxPendingPerPartition, config.MaxPending/partitions)/2),
		bytes:  max(1, config.MaxPendingBytes/partitions/2),
	}
}

func (a *lookAhead) hold(bytes int) {
	a.orders++
	a.bytes += bytes
}

func (a *lookAhead) letGo(bytes int) {
	a.orders--
	a.bytes -= bytes
}

// isFull tells whether reading pauses: from when the share is used up until half of it is free again, so that it
// does not stop and start for single orders.
func (a *lookAhead) isFull(s share) bool {
	switch {
	case a.orders >= s.orders || a.bytes >= s.bytes:
		a.full = true
	case a.orders <= s.orders/2 && a.bytes <= s.bytes/2:
		a.full = false
	}
	return a.full
}
