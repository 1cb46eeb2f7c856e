//go:build synctests

package sim

import (
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Fault is one thing that goes wrong, or changes, during the safety phase.
type Fault struct {
	// At is when, since the start; For is how long, where it lasts.
	At, For time.Duration
	Kind    FaultKind
	// Relay picks one of those that run, in the order they were started.
	Relay int
	// Topic is what a write or read fault is about.
	Topic string
	// Error is what Kafka answers.
	Error *kerr.Error
}

// FaultKind is what happens.
type FaultKind string

// The kinds of fault.
const (
	// CommitFails answers offset commits with Error. WithMetadata does so only to those that carry metadata of ours.
	CommitFails             FaultKind = "commit fails"
	CommitWithMetadataFails FaultKind = "commit with metadata fails"
	// WriteFails answers produce requests for Topic with Error, ReadFails fetches of it, ListFails listings of its ends.
	WriteFails FaultKind = "write fails"
	ReadFails  FaultKind = "read fails"
	ListFails  FaultKind = "list fails"
	// HeartbeatFails answers one heartbeat with Error.
	HeartbeatFails FaultKind = "heartbeat fails"
	// CoordinatorMoves and LeadersMove are what they say. BrokerAway removes a broker and brings one back after For.
	CoordinatorMoves FaultKind = "coordinator moves"
	LeadersMove      FaultKind = "leaders move"
	BrokerAway       FaultKind = "broker away"
	// Join starts another relay, Leave stops one gracefully, Restart does both.
	Join    FaultKind = "join"
	Leave   FaultKind = "leave"
	Restart FaultKind = "restart"
	// Crash ends a relay without a word: its connections break, and it neither drains nor commits.
	Crash FaultKind = "crash"
	// Cut breaks all connections of a relay and lets it make none; Silence swallows what goes over them.
	Cut     FaultKind = "cut"
	Silence FaultKind = "silence"
	// RegistryAway makes the schema registry answer 503.
	RegistryAway FaultKind = "registry away"
	// Retention removes the older half of what the relays have not committed, in every partition.
	Retention FaultKind = "retention"
)

// String is a fault in a line.
func (f Fault) String() string {
	text := fmt.Sprintf("%v %s", f.At, f.Kind)
	if f.For > 0 {
		text += fmt.Sprintf(" for %v", f.For)
	}
	if f.Topic != "" {
		text += " of " + f.Topic
	}
	if f.Error != nil {
		text += " with " + f.Error.Message
	}
	switch f.Kind {
	case Leave, Restart, Crash, Cut, Silence:
		text += fmt.Sprintf(" of relay %d", f.Relay)
	}
	return text
}
