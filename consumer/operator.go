package consumer

import (
	"fmt"
	"strings"
	"time"

	"github.com/cjrelay/cjrelay/schema"
)

// Sending tells whether an operator holds sending.
type Sending struct {
	// Held is since when, the zero time when it is not held.
	Held time.Time
	// Changed tells whether the call that returned this has changed it.
	Changed bool
}

// HoldSending stops all sending of this process, and its reading, until ResumeSending. What is being sent goes on. The
// process is not ready meanwhile, and one that starts anew holds nothing. It is safe for concurrent use, as all of an
// operator's calls are.
func (c *Consumer) HoldSending() Sending {
	changed := c.config.Breaker.Suspend()
	return Sending{Held: c.config.Breaker.Suspended(), Changed: changed}
}

// ResumeSending ends HoldSending.
func (c *Consumer) ResumeSending() Sending {
	changed := c.config.Breaker.Resume()
	return Sending{Held: c.config.Breaker.Suspended(), Changed: changed}
}

// heldByOperator is nil while nobody holds sending. A hold that is forgotten costs as much as an outage.
func (c *Consumer) heldByOperator() error {
	since := c.config.Breaker.Suspended()
	if since.IsZero() {
		return nil
	}
	return fmt.Errorf("an operator has held sending since %s: POST /actions/sending/resume to go on", since.UTC().Format(time.RFC3339))
}

// Held is what the mass rule holds at one stage.
type Held struct {
	// Orders counts them, those being tried again among them.
	Orders int
	// Stopped tells that an operator has stopped them.
	Stopped bool
}

// UnknownStageError names a stage that there is not.
type UnknownStageError struct{ Stage string }

func (e *UnknownStageError) Error() string {
	names := make([]string, len(stages))
	for i, at := range stages {
		names[i] = string(at)
	}
	return fmt.Sprintf("stage %s: must be one of %s", schema.Quoted(e.Stage), strings.Join(names, ", "))
}

// ReleaseHeld lets the orders go that the mass rule holds now at a stage: decode, partition, build or cj. Where half or
// more of the latest orders are rejected there, each is tried once more before. It ends StopHeld. The error is an
// *UnknownStageError.
func (c *Consumer) ReleaseHeld(at string) (Held, error) { return c.decide(at, (*mass).release) }

// StopHeld holds every order that is rejected at a stage, tries none again, and lets none go until ReleaseHeld, or until
// the process ends: its orders then are the next owner's. The error is an *UnknownStageError.
func (c *Consumer) StopHeld(at string) (Held, error) { return c.decide(at, (*mass).stop) }

func (c *Consumer) decide(at string, what func(*mass)) (Held, error) {
	rule := c.rules[stage(at)]
	if rule == nil {
		return Held{}, &UnknownStageError{Stage: at}
	}
	what(rule)
	state := rule.state()
	return Held{Orders: state.Held, Stopped: state.Stopped}, nil
}
