package breaker

import "fmt"

// State is the state of the circuit, with the value that the metric shows.
type State int

// The states of the circuit.
const (
	Closed   State = 0
	HalfOpen State = 1
	Open     State = 2
)

// String is closed, half-open or open.
func (s State) String() string {
	switch s {
	case Closed:
		return "closed"
	case HalfOpen:
		return "half-open"
	case Open:
		return "open"
	}
	return fmt.Sprintf("State(%d)", int(s))
}
