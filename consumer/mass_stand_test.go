package consumer

import (
	"errors"
	"fmt"
	"sync"
	"testing/synctest"
	"time"
)

// usual is the rule as it is by default.
var usual = massConfig{window: 20, wait: 20 * time.Second, pace: 5 * time.Second}

var errRejected = errors.New("CJ answered 400")

// stand is a rule with orders to try it on. Tries are judged when the test says so.
type stand struct {
	*mass
	made int

	mu           sync.Mutex
	trying, gone []*suspect
}

func newStand(config massConfig) *stand { return &stand{mass: newMass(stageCJ, config)} }

func (s *stand) suspect() *suspect {
	s.made++
	one := &suspect{key: fmt.Sprint("order-", s.made)}
	one.again = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.trying = append(s.trying, one)
	}
	one.goes = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gone = append(s.gone, one)
	}
	return one
}

// pass lets n new orders pass.
func (s *stand) pass(n int) {
	for range n {
		s.passed(s.suspect().key)
	}
}

// reject rejects n new orders. It returns those that are held.
func (s *stand) reject(n int) (held []*suspect) {
	for range n {
		if one := s.suspect(); !s.rejected(one, errRejected) {
			held = append(held, one)
		}
	}
	return held
}

// tried takes the tries that were asked for since the last call.
func (s *stand) tried() []*suspect {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	tried := s.trying
	s.trying = nil
	return tried
}

// went takes the orders that have gone after a wait since the last call.
func (s *stand) went() []*suspect {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	went := s.gone
	s.gone = nil
	return went
}

// judge goes on until nothing is tried any more, and returns how many orders went.
func (s *stand) judge(rejects func(*suspect) bool) (gone int) {
	for tries := s.tried(); len(tries) > 0; tries = s.tried() {
		for _, one := range tries {
			if !rejects(one) {
				s.cleared(one)
			} else if s.rejected(one, errRejected) {
				gone++
			}
		}
	}
	return gone
}

func always(*suspect) bool { return true }
func never(*suspect) bool  { return false }
