package relay

import "github.com/cjrelay/cjrelay/consumer"

// HoldSending stops all sending, and ResumeSending lets it go on: see consumer.Consumer, as for all of an operator's
// calls.
func (r *Relay) HoldSending() consumer.Sending { return r.consumer.HoldSending() }

// ResumeSending ends HoldSending.
func (r *Relay) ResumeSending() consumer.Sending { return r.consumer.ResumeSending() }

// ReleaseHeld lets the orders go that the mass rule holds at a stage.
func (r *Relay) ReleaseHeld(stage string) (consumer.Held, error) {
	return r.consumer.ReleaseHeld(stage)
}

// StopHeld holds what is rejected at a stage until ReleaseHeld.
func (r *Relay) StopHeld(stage string) (consumer.Held, error) { return r.consumer.StopHeld(stage) }
