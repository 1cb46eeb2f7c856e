package demo

import (
	"fmt"

	"github.com/cjrelay/cjrelay/schema"
)

// Ledger is what came of a demo's orders.
type Ledger struct {
	// Orders is how many were produced, valid or not.
	Orders int `json:"orders"`
	// WithClick is how many of them CJ should acknowledge.
	WithClick int `json:"with_click"`
	// Acknowledged is how many of them CJ says that it acknowledged.
	Acknowledged int `json:"acknowledged"`
	// Unattributed and DeadLetter are how many ended so according to the outcomes topic.
	Unattributed int `json:"unattributed"`
	DeadLetter   int `json:"dead_letter"`
	// Lost is orders that CJ should have acknowledged and did not, orders without an outcome, and dead letters
	// without their original bytes.
	Lost int `json:"lost"`
	// Wrong is orders that CJ got but should not have, or got otherwise than it should, or that ended otherwise
	// than they should; and what else is not as it should be.
	Wrong int `json:"wrong"`
	// Duplicates is how often CJ acknowledged an order once more.
	Duplicates int `json:"duplicates"`
	// Seconds is how long it took, from the start to the ledger.
	Seconds float64 `json:"seconds"`
	Seed    uint64  `json:"seed"`

	// reasons counts the outcomes.
	reasons map[schema.Kind]map[schema.Reason]int
	// findings explain what is lost or wrong, no more than maxFindings of them.
	findings []string
}

const maxFindings = 10

// Clean tells whether nothing is lost and nothing is wrong.
func (l *Ledger) Clean() bool { return l.Lost == 0 && l.Wrong == 0 }

func (l *Ledger) find(format string, args ...any) {
	if len(l.findings) < maxFindings {
		l.findings = append(l.findings, fmt.Sprintf(format, args...))
	}
}

// wrong notes something wrong that is no one order's.
func (l *Ledger) wrong(format string, args ...any) {
	l.Wrong++
	l.find(format, args...)
}
