package cjtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// script is a list of rules at work.
type script struct {
	rules      []Rule
	start      time.Time
	needsOrder bool

	mu     sync.Mutex // guards what follows
	seen   []int      // by rule: requests that its other conditions left
	random *rand.Rand
}

// newScript panics on an impossible rule: it is a mistake in the code of a test, and a script from text was
// checked before.
func newScript(rules []Rule, start time.Time, seed uint64) *script {
	for i, rule := range rules {
		if err := rule.validate(); err != nil {
			panic(fmt.Sprintf("cjtest: script rule %d: %v", i+1, err))
		}
	}
	return &script{
		rules:      slices.Clone(rules),
		start:      start,
		needsOrder: slices.ContainsFunc(rules, func(r Rule) bool { return r.Order != "" }),
		seen:       make([]int, len(rules)),
		random:     rand.New(rand.NewPCG(seed, 0)),
	}
}

// pick returns the first rule that wants the request, or the zero rule, and how long to wait first.
func (s *script) pick(at time.Time, orderID string) (Rule, time.Duration) {
	if len(s.rules) == 0 {
		return Rule{}, 0
	}
	elapsed := at.Sub(s.start)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, rule := range s.rules {
		if elapsed < rule.From || rule.Until != 0 && elapsed >= rule.Until || rule.Order != "" && rule.Order != orderID {
			continue
		}
		if s.counts(i, rule) {
			return rule, rule.Latency.draw(s.random)
		}
	}
	return Rule{}, 0
}

// counts applies every and next to a request that the other conditions of rule i leave.
func (s *script) counts(i int, rule Rule) bool {
	s.seen[i]++
	picked := s.seen[i]
	if rule.Every > 0 {
		if s.seen[i]%rule.Every != 0 {
			return false
		}
		picked /= rule.Every
	}
	return rule.Next == 0 || picked <= rule.Next
}
