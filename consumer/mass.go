package consumer

import (
	"container/list"
	"sync"
	"time"
)

// massConfig sets the mass rule for one stage. Every field is needed and positive.
type massConfig struct {
	// window is over how many of the latest distinct orders is judged.
	window int
	// wait is how long a rejected order waits while the process has seen fewer than window orders.
	wait time.Duration
	// pace is how often one held order is tried again when nothing else gives reason to.
	pace time.Duration
}

// mass is the mass rule for one stage: it tells an order that is bad from a set-up, or a CJ, that is. Dead letters
// are for the former only; the latter would put a whole topic there.
//
// A rejected order goes when less than half of the latest orders are rejected, and is held otherwise. Orders that
// are held because half or more are rejected are tried again, and one that goes then has just been rejected once
// more: nothing is dead-lettered on what was true before the cause was gone. A try needs an order that passed,
// which lets the next held one follow at once, or the pace. So a cause that stays costs one try a pace, and when
// it is gone all pass one after another, more and more at once; no new order is needed for that.
//
// It is safe for concurrent use. Suspects are called without a lock held.
type mass struct {
	stage  stage
	config massConfig

	mu       sync.Mutex
	verdicts verdicts
	// waiting holds each *suspect that waits, the one that has waited longest first.
	waiting list.List
	// held counts the suspects that have not ended: those that wait, and those that are being tried.
	held int
	// last is the number of the latest suspect that was held. An operator has released all up to released.
	last, released uint64
	// stopped: an operator wants no more tries and no dead letters.
	stopped bool
	// since is when the rule, or an operator, began to let nothing go, and why the latest rejection.
	since time.Time
	why   error
	// timer is set while suspects wait. A timer of an earlier turn that fires late does nothing.
	timer *time.Timer
	turn  uint64
	// calls are what is to be called when mu is free.
	calls []func()
}

func newMass(stage stage, config massConfig) *mass {
	return &mass{stage: stage, config: config, verdicts: verdicts{size: config.window}}
}

// suspect is an order that was rejected at a stage, until it passes there, goes, or is dropped.
type suspect struct {
	// key tells orders apart. It stays as it was at the first rejection: an order that could not be read has
	// only its place for a name, and must still be known when it can be.
	key string
	// redriven orders are no samples: whoever sends rejected orders again is likely to see them rejected again.
	redriven bool
	// Each time that rejected has held the order, one of these is called once, unless the suspect is dropped: again
	// tries it once more at its stage, goes dead-letters it. Any goroutine may do so, and none of them may wait
	// for the verdict.
	again, goes func()

	// mass.mu guards these. number is 0 until it is held.
	number uint64
	since  time.Time
	place  *list.Element
	ended  bool
}

// passed notes that an order passed the stage that was never rejected there. It is not called for redriven ones.
func (m *mass) passed(key string) {
	m.change(func() {
		m.note(func() { m.verdicts.pass(key) })
		m.follow(1)
	})
}

// cleared notes that a suspect passed the stage, and ends it.
func (m *mass) cleared(s *suspect) {
	m.change(func() {
		if s.ended {
			return
		}
		m.end(s)
		if !s.redriven {
			m.note(func() { m.verdicts.pass(s.key) })
		}
		m.follow(1)
	})
}

// rejected notes that an order was rejected, for the first time or at a later try. It reports whether the order
// goes to the dead letters, which ends the suspect; otherwise it is held. Since it may be called at once, the order
// must be ready for that before this call. A suspect that was dropped before is not held.
func (m *mass) rejected(s *suspect, why error) (goes bool) {
	m.change(func() {
		if s.ended {
			return
		}
		m.why = why
		if !s.redriven {
			m.note(func() { m.verdicts.reject(s.key, s.number > 0) })
		}
		if goes = m.lets(s); !goes {
			m.hold(s)
			return
		}
		m.end(s)
		if m.isReleased(s) {
			m.follow(1)
		}
	})
	return goes
}

// drop ends a suspect that this process has no more to do with. What was seen of it remains a sample: where many
// are dropped at once, the rest must not pass for the first orders of a process. It may be called for any suspect,
// in any state, and again.
func (m *mass) drop(s *suspect) { m.change(func() { m.end(s) }) }

// release lets the orders that are held now go. Where half or more are rejected each is tried once more before, a
// few at a time. It ends a stop.
func (m *mass) release() {
	m.change(func() {
		m.stopped = false
		m.released = m.last
		m.follow(m.burst())
	})
}

// stop holds every order that is rejected, tries none again, and lets none go until release. Orders being tried
// now still pass when they can.
func (m *mass) stop() {
	m.change(func() {
		if !m.stopped && m.verdicts.ruling() != everything {
			m.since = time.Now()
		}
		m.stopped = true
	})
}

// change makes one change, and calls the suspects that it gives reason to call.
func (m *mass) change(do func()) {
	m.mu.Lock()
	do()
	m.arm()
	calls := m.calls
	m.calls = nil
	m.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// note lets add put in a verdict, and does what a new ruling asks for.
func (m *mass) note(add func()) {
	before := m.verdicts.ruling()
	add()
	after := m.verdicts.ruling()
	if after == before {
		return
	}
	m.disarm()
	switch {
	case after == everything && !m.stopped:
		m.since = time.Now()
	case after == theOrder && before == tooFew:
		// Nobody has had reason to doubt their verdicts.
		m.letGo(func(*suspect) bool { return true })
	case after == theOrder:
		m.follow(m.burst() - 1) // the order that passed gives reason for one more
	}
}

// burst is how many held orders are tried at once where there is reason to think that they are judged by what
// they are. If that is wrong, so many dead letters are what it costs.
func (m *mass) burst() int { return max(1, m.config.window/2) }

// lets tells whether an order that was just rejected goes.
func (m *mass) lets(s *suspect) bool {
	return !m.stopped && (m.verdicts.ruling() == theOrder || m.isReleased(s))
}

func (m *mass) isReleased(s *suspect) bool { return s.number > 0 && s.number <= m.released }

func (m *mass) hold(s *suspect) {
	if s.number == 0 {
		m.last++
		s.number, s.since = m.last, time.Now()
		m.held++
	}
	s.place = m.waiting.PushBack(s)
}

func (m *mass) end(s *suspect) {
	if s.ended {
		return
	}
	s.ended = true
	if s.number > 0 {
		m.held--
	}
	if s.place != nil {
		m.waiting.Remove(s.place) // which does nothing where it is being tried
	}
}

// follow has up to n suspects tried. With too few samples there is nothing to try: those that are released go.
func (m *mass) follow(n int) {
	if m.verdicts.ruling() == tooFew {
		m.letGo(m.isReleased)
		return
	}
	for ; n > 0 && m.waiting.Len() > 0 && !m.stopped; n-- {
		s := m.first()
		m.waiting.Remove(s.place)
		m.calls = append(m.calls, s.again)
	}
}

// letGo dead-letters those that wait, from the first one on, for as long as may says so.
func (m *mass) letGo(may func(*suspect) bool) {
	for m.waiting.Len() > 0 && !m.stopped && may(m.first()) {
		s := m.first()
		m.end(s)
		m.calls = append(m.calls, s.goes)
	}
}

func (m *mass) first() *suspect { return m.waiting.Front().Value.(*suspect) }

// arm sets the timer where something waits for it.
func (m *mass) arm() {
	switch {
	case m.waiting.Len() == 0 || m.stopped:
		m.disarm()
	case m.timer == nil:
		next := m.config.pace
		if m.verdicts.ruling() == tooFew {
			next = time.Until(m.first().since.Add(m.config.wait))
		}
		turn := m.turn
		m.timer = time.AfterFunc(next, func() { m.tick(turn) })
	}
}

func (m *mass) disarm() {
	if m.timer != nil {
		m.timer.Stop()
		m.timer = nil
		m.turn++
	}
}

func (m *mass) tick(turn uint64) {
	m.change(func() {
		if turn != m.turn {
			return
		}
		m.timer = nil
		if m.verdicts.ruling() == tooFew {
			m.letGo(func(s *suspect) bool { return time.Since(s.since) >= m.config.wait })
			return
		}
		m.follow(1)
	})
}
