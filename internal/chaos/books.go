package chaos

import (
	"fmt"
	"time"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/schema"
)

// Books are everything that can be seen of a run from outside of the processes.
type Books struct {
	Orders []*Order
	// Requests are what CJ received, in the order of arrival; Judged are the same ones as CJ judges them.
	Requests []Request
	Judged   []cjtest.Received
	// Outcomes and Letters are what stands in these topics, by the place of the order.
	Outcomes map[Place][]schema.OutcomeRecord
	Letters  map[Place][]Letter
	// Commits are what Kafka took, Generations how it gave the partitions out, each in that order.
	Commits     []Commit
	Generations []Generation
	// Left is how far each partition's committed offset is from its end.
	Left map[int32]int64
	// Strange describes what should not be there at all.
	Strange      []string
	Disturbances []Disturbance
}

// Disturbance is a moment at which a process may have had orders in hand that another one does again.
type Disturbance struct {
	Relay string
	Why   Cause
	// At is the last moment at which a commit of the process counts, unless a partition had another owner before. Until
	// is the last one at which CJ may have received a request that belongs to it; zero for a process that was killed,
	// whose last ones may still be on their way.
	At, Until time.Time
}

// Cause is what disturbed a process.
type Cause string

// The causes.
const (
	// Killed: SIGKILL.
	Killed Cause = "killed"
	// Lost: the group took its partitions without its consent, and it learned of that afterwards.
	Lost Cause = "partitions lost"
	// Hindered: it handed partitions over, by a stop or a revoke, and could not commit them: Kafka was away, or the
	// group was waiting for a member that had died.
	Hindered Cause = "last commit failed"
	// Unexplained: nothing did.
	Unexplained Cause = ""
)

// Causes lists those that excuse a duplicate, in the order in which they are shown.
var Causes = []Cause{Killed, Lost, Hindered}

// Ledger is what an audit found.
type Ledger struct {
	Orders, Acknowledged, Unattributed, DeadLetters int
	// Lost is orders that CJ should have acknowledged and did not, orders without an outcome, and dead letters that
	// are not there or not whole.
	Lost int
	// Wrong is orders that ended otherwise than they should or that CJ got otherwise than it should, attempts of one
	// order in other words, commits that went back or passed an order without outcome, and whatever else is odd.
	Wrong int
	// Duplicates is how often CJ acknowledged an order once more. Bound is how often the contract allows: for each
	// process that was disturbed the orders in flight and those acknowledged since its last commit. Both are told by
	// cause, too; a duplicate without one is of an order that no disturbed process had in hand.
	Duplicates, Bound     int
	DuplicatesBy, BoundBy map[Cause]int
	// Requests, Commits and Generations are how many there were.
	Requests, Commits, Generations int

	// Findings explain, no more than maxFindings of them.
	Findings []string
}

const maxFindings = 20

// Clean tells whether the contract holds.
func (l *Ledger) Clean() bool {
	return l.Lost == 0 && l.Wrong == 0 && l.DuplicatesBy[Unexplained] == 0 && l.Duplicates <= l.Bound
}

func (l *Ledger) find(format string, args ...any) {
	if len(l.Findings) < maxFindings {
		l.Findings = append(l.Findings, fmt.Sprintf(format, args...))
	}
}

func (l *Ledger) wrong(format string, args ...any) {
	l.Wrong++
	l.find(format, args...)
}
