//go:build synctests

package sim

import (
	"fmt"
	"sync"
)

// invariant is what a check guards. Its number comes first in every finding.
type invariant string

// The invariants.
const (
	noLoss             invariant = "I1 no loss"
	boundedDuplicates  invariant = "I2 bounded duplicates"
	commitDiscipline   invariant = "I3 commit discipline"
	liveness           invariant = "I4 liveness"
	breakerHolds       invariant = "I5 breaker"
	rightOutcome       invariant = "I6 right outcome"
	sameQuery          invariant = "I7 same query"
	wholeDeadLetter    invariant = "I8 whole dead letter"
	boundedResources   invariant = "I9 bounded resources"
	nothingSecretShown invariant = "I10 nothing secret shown"
	gracefulStop       invariant = "I11 graceful stop"
)

// findings collects what is wrong. It is safe for concurrent use.
type findings struct {
	guard sync.Mutex
	wrong []string
	// count has how many there are of each invariant, of which wrong has the first few.
	count map[invariant]int
}

// shown is how many findings of one invariant are written out: the first ones tell most.
const shown = 5

func (f *findings) found(i invariant, format string, args ...any) {
	f.guard.Lock()
	defer f.guard.Unlock()
	if f.count == nil {
		f.count = map[invariant]int{}
	}
	f.count[i]++
	if f.count[i] <= shown {
		f.wrong = append(f.wrong, string(i)+": "+fmt.Sprintf(format, args...))
	}
}

// all are the findings in the order they were made.
func (f *findings) all() []string {
	f.guard.Lock()
	defer f.guard.Unlock()
	all := f.wrong
	for i, n := range f.count {
		if n > shown {
			all = append(all, fmt.Sprintf("%s: and %d more", i, n-shown))
		}
	}
	return all
}
