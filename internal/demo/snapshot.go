package demo

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/cjrelay/cjrelay/breaker"
)

// snapshot is the story at one moment, for people.
type snapshot struct {
	elapsed time.Duration
	phase   phase
	reached map[phase]bool
	seed    uint64
	console string

	// orders is how many there will be, produced how many there are. Each of those is acknowledged by CJ,
	// unattributed, a dead letter, or waits for its outcome.
	orders, produced                                int
	acknowledged, unattributed, deadLetter, waiting int
	// requests is how many CJ got.
	requests int
	breaker  breaker.State
}

func (s *story) snapshot() snapshot {
	unattributed, deadLetters, concluded := s.clerk.concluded()
	cj := s.world.cj.Summary()
	// What was produced is asked last, so that nothing has an outcome that was not produced.
	produced := s.till.count()
	s.mu.Lock()
	defer s.mu.Unlock()
	return snapshot{
		elapsed: time.Since(s.began), phase: s.shown(), reached: maps.Clone(s.reached), seed: s.seed, console: s.console,
		orders: s.orders, produced: produced, requests: cj.Requests, breaker: s.relays.breaker(),
		acknowledged: cj.Acknowledged, unattributed: unattributed, deadLetter: deadLetters, waiting: max(0, produced-concluded),
	}
}

// headline says what happens.
func (s snapshot) headline() string {
	switch s.phase {
	case opening:
		return "opening: Kafka, a schema registry, CJ and the relay, all in this process"
	case failing:
		return "CJ is down: it answers 503"
	case hanging:
		return "CJ is down: it takes requests and never answers"
	case recovering:
		return "CJ is back: catching up"
	case restarting:
		return "restarting the consumer while orders come in"
	case finishing:
		return "no more orders: waiting for the last outcomes"
	case auditing:
		return "auditing: what CJ received against what is true"
	case told:
		return "done"
	default:
		return "shoppers land and buy"
	}
}

// trouble tells whether the phase is one in which CJ does not work.
func (s snapshot) trouble() bool { return s.phase == failing || s.phase == hanging }

// clock is minutes and seconds.
func clock(d time.Duration) string {
	seconds := int(d / time.Second)
	return fmt.Sprintf("%d:%02d", seconds/60, seconds%60)
}

// grouped writes a number with a comma at each thousand.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for at := len(digits) - 3; at > 0 && digits[at-1] != '-'; at -= 3 {
		digits = digits[:at] + "," + digits[at:]
	}
	return digits
}
