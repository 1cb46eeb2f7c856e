package consumer

import (
	"sync"
	"time"

	"github.com/cjrelay/cjrelay/postback"
	"github.com/cjrelay/cjrelay/schema"
)

// Doing is what an order without an outcome is at.
type Doing string

// What an order can be at, in its usual way.
const (
	// Reading: it is being decoded and joined.
	Reading Doing = "reading"
	// AwaitingRegistry: the schema registry cannot be asked.
	AwaitingRegistry Doing = "registry"
	// AwaitingItsTime: it says that it is confirmed a little later than now.
	AwaitingItsTime Doing = "own_time"
	// AwaitingClicks: the click table is not fresh enough.
	AwaitingClicks Doing = "clicks"
	// AwaitingTwin: the same order from another offset is under way.
	AwaitingTwin Doing = "twin"
	// Queued: it has all it takes, and waits for a sender, the circuit or the rate.
	Queued Doing = "queued"
	// BeingSent: a request to CJ is under way.
	BeingSent Doing = "sending"
	// BackingOff: an attempt failed, and the next one is a while away.
	BackingOff Doing = "backoff"
	// HeldBack: a mass rule holds it.
	HeldBack Doing = "held"
	// Writing: its outcome is being written.
	Writing Doing = "writing"
)

// Step is something that happened to an order.
type Step struct {
	At time.Time
	// What is one of the Step constants.
	What string
	// Status is CJ's HTTP status of an attempt, 0 when there was no answer, and Latency how long it took.
	Status  int
	Latency time.Duration
	// Detail tells more in plain words, or is the reason of an outcome. No click id and no secret is in it.
	Detail string
}

// The steps of an order. An order that ended has its outcome, a schema.Kind, as a step.
const (
	// StepRead: it was read from Kafka.
	StepRead = "read"
	// StepWaits: something else must come first; Detail says what.
	StepWaits = "waits"
	// StepJoined: the click is known, and the query is made.
	StepJoined = "joined"
	// StepAttempt: CJ was asked; Detail is the class of its answer and why it failed.
	StepAttempt = "attempt"
	// StepRejected: a stage rejected it; the mass rule decides what that means.
	StepRejected = "rejected"
	// StepWritten: the outcome is durable.
	StepWritten = "written"
	// StepCommitted: the group's committed offset is past it.
	StepCommitted = "committed"
	// StepGivenUp: the partition was taken away, or the process stops; the next owner goes on with it.
	StepGivenUp = "given_up"
)

// Trail is what this process has seen of one order.
type Trail struct {
	// OrderID is empty where the record could not be read that far.
	OrderID   string
	Partition int32
	Offset    int64
	// Produced is the record's time.
	Produced time.Time
	// Outcome and Reason are empty while it has none; Doing is empty as soon as it has left.
	Outcome schema.Kind
	Reason  schema.Reason
	Doing   Doing
	// Query is what CJ got or would get; the zero Query before there is one.
	Query postback.Query
	// Steps are in the order of time. Omitted counts those left out in the middle: an order may be tried for days.
	Steps   []Step
	Omitted int
}

// firstSteps and lastSteps are how many steps of an order are kept from either end.
const (
	firstSteps = 6
	lastSteps  = 14
)

// trail collects a Trail while others look at it. It is safe for concurrent use.
type trail struct {
	mu sync.Mutex
	is Trail
}

func newTrail(partition int32, offset int64, produced, now time.Time) *trail {
	t := &trail{is: Trail{Partition: partition, Offset: offset, Produced: produced, Doing: Reading}}
	t.is.Steps = append(make([]Step, 0, 6), Step{At: now, What: StepRead})
	return t
}

// step notes what happened just now.
func (t *trail) step(what, detail string) { t.note(Step{At: time.Now(), What: what, Detail: detail}) }

func (t *trail) note(s Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.is.Steps) == firstSteps+lastSteps {
		t.is.Steps = append(t.is.Steps[:firstSteps], t.is.Steps[firstSteps+1:]...)
		t.is.Omitted++
	}
	t.is.Steps = append(t.is.Steps, s)
}

// doing notes what the order is at.
func (t *trail) doing(now Doing) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.is.Doing = now
}

// change lets f fill in what is known by now.
func (t *trail) change(f func(*Trail)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.is)
}

// look is a copy for whoever wants to see it.
func (t *trail) look() Trail {
	t.mu.Lock()
	defer t.mu.Unlock()
	is := t.is
	is.Steps = append([]Step(nil), is.Steps...)
	return is
}
