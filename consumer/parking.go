package consumer

import (
	"fmt"
	"time"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/schema"
)

// An order that cannot be delivered, for whatever reason, must not freeze its partition: everything behind it
// would be sent again after a crash, and in the end retention would take what was never sent. Such an order is
// parked: it goes to the dead-letter topic, loudly, and its offset is done. An open circuit parks nothing.
const (
	// parkAttempts and parkAfter are how often an order must have failed, and for how long, while CJ took others.
	parkAttempts = 20
	parkAfter    = 10 * time.Minute
	// aheadLimit is how many orders of a partition may be done above its oldest one that is not. Reading stops
	// there; at eight tenths of it the oldest is parked if it is one that fails. Each costs 16 bytes of memory.
	aheadLimit = 100_000
	// nearTenths is from how many tenths of its bound on that counts as near, and the same of its metadata's length.
	nearTenths = 8
)

// trial is what CJ has done to one order so far.
type trial struct {
	// tried is set from the first failure on, of whatever kind; others is how many orders CJ had taken at the latest
	// one, and othersTaken tells that it took some between that and the one before.
	tried       bool
	others      int64
	othersTaken bool
	// alone is set once that was so: it is the order that fails, not CJ.
	alone bool
	// failures counts those that may be the order's own, since first.
	failures int
	first    time.Time
}

// note notes a failure of any kind.
func (t *trial) note(taken int64) {
	t.othersTaken = t.tried && taken > t.others
	t.alone = t.alone || t.othersTaken
	t.tried, t.others = true, taken
}

// failed counts the failure that was just noted as one that may be the order's own, and tells whether it has failed
// too often: while others were taken since its last failure, it is not CJ that fails.
func (t *trial) failed(now time.Time) bool {
	if t.failures == 0 {
		t.first = now
	}
	t.failures++
	return t.othersTaken && t.failures >= parkAttempts && now.Sub(t.first) >= parkAfter
}

// parksAfterFailure parks an order that keeps failing, or that is the oldest one and holds up too many others. It
// reports whether it did.
func (p *passage) parksAfterFailure(cause error) bool {
	keepsFailing := p.trial.failed(time.Now())
	switch {
	case p.consumer.config.Breaker.State() != breaker.Closed:
		return false
	case keepsFailing:
		p.park(schema.ReasonKeepsFailing, fmt.Errorf("failed %d times in %s while CJ took other orders: %w",
			p.trial.failures, time.Since(p.trial.first).Round(time.Second), cause))
		return true
	case p.holdsUpOthers():
		p.parkAsOldest()
		return true
	}
	return false
}

// holdsUpOthers tells whether an order is the oldest one of its partition without an outcome, and the orders done
// above it near their bound.
func (p *passage) holdsUpOthers() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.crowded() && p.passages[p.tracker.watermark()] == p
}

// crowded tells whether the orders done above the oldest one near their bound. The caller holds mu.
func (l *life) crowded() bool {
	return l.tracker.ahead() >= l.consumer.aheadLimit*nearTenths/10 || l.metadataNears()
}

// metadataNears tells whether the commit's metadata nears Kafka's limit. With no order in hand it bounds nothing: it is
// what an earlier life left, and only reading on makes it shorter. The caller holds mu.
func (l *life) metadataNears() bool {
	near := l.consumer.metadataRoom() * nearTenths / 10
	return l.tracker.pending > 0 && near > 0 && l.described >= near
}

// parkOldest parks the oldest order where it waits after a failure and the orders done above it near their bound.
// One that waits for something else is not to blame: there only reading stops.
func (l *life) parkOldest() {
	l.mu.Lock()
	var oldest *passage
	if l.crowded() {
		oldest = l.passages[l.tracker.watermark()]
	}
	l.mu.Unlock()
	if oldest != nil && oldest.fails.Load() && l.consumer.config.Breaker.State() == breaker.Closed && oldest.claim() {
		oldest.parkAsOldest()
	}
}

func (p *passage) parkAsOldest() {
	p.park(schema.ReasonHoldsUpOthers, fmt.Errorf("failed %d times, and is the oldest of its partition without an outcome while the orders done "+
		"after it near their bound", p.trial.failures))
}

func (p *passage) park(reason schema.Reason, cause error) { p.conclude(schema.Parked, reason, cause) }

// parkBeforeRetention parks the orders whose records the topic will soon delete: once it has, nothing but a dead
// letter holds them. Ages count from when this process has read the order, so that a replayed one is not old.
func (l *life) parkBeforeRetention(now time.Time) {
	retention := l.consumer.retention.lasts()
	if retention <= 0 || l.consumer.config.Breaker.State() != breaker.Closed {
		return
	}
	l.mu.Lock()
	var old []*passage
	for _, p := range l.passages {
		if now.Sub(p.arrived) >= retention-retention/10 {
			old = append(old, p)
		}
	}
	l.mu.Unlock()
	for _, p := range old {
		if p.claim() {
			p.park(schema.ReasonRetentionEnds, fmt.Errorf("without an outcome for %s, and the topic keeps orders for %s",
				now.Sub(p.arrived).Round(time.Second), retention))
		}
	}
}
