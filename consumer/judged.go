package consumer

import (
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/schema"
)

// passes tells a stage's mass rule that the order passed there.
func (p *passage) passes(at stage) {
	rule := p.consumer.rules[at]
	switch {
	case p.judge == rule:
		rule.cleared(p.suspect)
		p.acquit()
	case !p.redriven():
		rule.passed(p.outcome.Key())
	}
}

// reject is the end of an order that a stage rejected, or not: its mass rule may hold it, and try it again later.
func (p *passage) reject(at stage, reason schema.Reason, cause error) {
	rule := p.consumer.rules[at]
	if p.judge != rule {
		p.acquit()
		p.suspected(rule)
	}
	p.reason, p.cause = reason, cause
	s := p.suspect
	p.trail.step(StepRejected, string(at)+": "+cause.Error())
	p.trail.doing(HeldBack)
	p.rest(func() {
		if rule.rejected(s, cause) && p.claim() {
			p.deadLetter()
		}
	})
}

// deadLetter ends an order for the reason for which it was rejected.
func (p *passage) deadLetter() { p.conclude(schema.DeadLetter, p.reason, p.cause) }

// suspected makes the order a suspect of a stage.
func (p *passage) suspected(rule *mass) {
	again := func() {
		if p.claim() {
			// The click table may know more by now.
			p.gate = p.consumer.config.Clicks.Gate()
			go p.intake(p)
		}
	}
	if rule.stage == stageCJ {
		again = func() { p.consumer.queue.put(p) }
	}
	p.judge, p.suspect = rule, &suspect{key: p.outcome.Key(), redriven: p.redriven(), again: again,
		goes: func() {
			if p.claim() {
				p.deadLetter()
			}
		}}
	p.holds(1)
}

// acquit ends what a stage had against the order, be it that this process has no more to do with it.
func (p *passage) acquit() {
	if p.suspect != nil {
		p.judge.drop(p.suspect)
		p.judge, p.suspect = nil, nil
		p.holds(-1)
	}
}

func (p *passage) holds(orders int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if orders > 0 {
		p.held.hold(size(p.record))
	} else {
		p.held.letGo(size(p.record))
	}
	p.balance()
}

// redriven tells whether the order comes out of the dead letters: it carries what we wrote on it there.
func (p *passage) redriven() bool {
	return slices.ContainsFunc(p.record.Headers, func(h kgo.RecordHeader) bool { return strings.HasPrefix(h.Key, ours) })
}

// misses ends an order that has no click to report, unless it is a duplicate of one that had.
func (p *passage) misses(reason schema.Reason) {
	if p.suspect != nil {
		// What it was rejected for is gone.
		p.judge.cleared(p.suspect)
		p.acquit()
	}
	p.reason = reason
	p.compete()
}

// compete sends the order, or ends it as a miss, unless it is a duplicate.
func (p *passage) compete() {
	p.candidate = newCandidate(p.outcome.Key(), p.outcome.QuerySHA256, location{offset: p.record.Offset, partition: p.partition}, p.decided)
	c := p.candidate
	p.trail.doing(AwaitingTwin)
	p.rest(func() {
		if now := p.consumer.duplicates.enter(c); now != waits {
			p.decided(now)
		}
	})
}

// decided goes on as the answer says, unless the order was abandoned meanwhile.
func (p *passage) decided(now answer) {
	if !p.claim() {
		return
	}
	switch now {
	case goes:
		switch {
		case p.wasDone():
		case p.outcome.CJEvent == "":
			p.conclude(schema.Unattributed, p.reason, nil)
		default:
			p.enqueue()
		}
	case isChanged:
		p.consumer.config.Log.Warn("an order that CJ has comes again with other content, and is not sent: CJ keeps what it got first",
			"order_id", shownID(p.outcome.OrderID), "partition", p.partition, "offset", p.record.Offset)
		p.conclude(schema.Duplicate, schema.ReasonChanged, nil)
	default:
		p.conclude(schema.Duplicate, schema.ReasonRepeated, nil)
	}
}
