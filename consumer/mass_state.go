package consumer

import (
	"fmt"
	"time"
)

// stage is where an order can be rejected. It is a metric label.
type stage string

const (
	// stageDecode: the record is no order.
	stageDecode stage = "decode"
	// stagePartition: the order is in another partition than the clicks of its session.
	stagePartition stage = "partition"
	// stageBuild: no postback can be made of the order.
	stageBuild stage = "build"
	// stageCJ: CJ rejects the postback.
	stageCJ stage = "cj"
)

// stages are all of them, in an order's way.
var stages = [...]stage{stageDecode, stagePartition, stageBuild, stageCJ}

// rejection says in words what happens to orders that are rejected at the stage.
func (s stage) rejection() string {
	switch s {
	case stageDecode:
		return "could not be read"
	case stagePartition:
		return "are in another partition than their session's clicks"
	case stageBuild:
		return "cannot be sent to CJ as they are"
	default:
		return "were rejected by CJ"
	}
}

// pace is how often one order that is held is tried again while nothing passes. A request to CJ is asked of
// others; the rest is our own work.
func (s stage) pace() time.Duration {
	if s == stageCJ {
		return 5 * time.Second
	}
	return time.Second
}

// massState is how the mass rule stands at one stage.
type massState struct {
	// Held counts the orders that were rejected and have no outcome, those being tried again among them.
	Held int
	// Rejected of the Latest distinct orders were rejected.
	Rejected, Latest int
	// Everything tells that half or more of the latest orders are rejected, so that nothing goes.
	Everything bool
	// Stopped tells that an operator wants no more tries.
	Stopped bool
	// Since is when nothing went any more; it means nothing while neither of the two holds.
	Since time.Time
	// Why is the latest rejection, nil before the first.
	Why error
}

// state is how the rule stands now.
func (m *mass) state() massState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return massState{
		Held: m.held, Rejected: m.verdicts.rejections, Latest: len(m.verdicts.latest),
		Everything: m.verdicts.ruling() == everything, Stopped: m.stopped, Since: m.since, Why: m.why,
	}
}

// trouble says what is wrong and what to do while orders are held, nil otherwise. A single order that waits for
// more samples is no trouble, and neither are bad samples of orders that are gone.
func (m *mass) trouble() error {
	s := m.state()
	if s.Held == 0 || !s.Everything && !s.Stopped {
		return nil
	}
	found := fmt.Sprintf("%d of the latest %d orders %s", s.Rejected, s.Latest, m.stage.rejection())
	if s.Stopped {
		return fmt.Errorf("%s; %d are held, and an operator has stopped them since %s: POST /actions/held/%s/release to go on. The latest: %w",
			found, s.Held, s.Since.UTC().Format(time.RFC3339), m.stage, s.Why)
	}
	return fmt.Errorf("%s, which is the set-up or CJ rather than the orders; %d are held since %s and none is dead-lettered. "+
		"They are tried again, one every %s, and go on by themselves when the cause is gone; if the orders are to blame, POST /actions/held/%s/release. The latest: %w",
		found, s.Held, s.Since.UTC().Format(time.RFC3339), m.config.pace, m.stage, s.Why)
}
