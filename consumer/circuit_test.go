package consumer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
)

func TestAnOutageIsOneTurnHoweverLong(t *testing.T) {
	t.Parallel()
	var circuit turns
	circuit.note(breaker.Closed, "")
	circuit.note(breaker.Open, "")
	for range 1000 {
		circuit.note(breaker.HalfOpen, "connection refused")
		circuit.note(breaker.Open, "timed out after 10s")
	}
	circuit.note(breaker.HalfOpen, "")
	circuit.note(breaker.Closed, "")
	var states []breaker.State
	for _, turn := range circuit.all(breaker.Closed) {
		states = append(states, turn.State)
	}
	require.Equal(t, []breaker.State{breaker.Closed, breaker.Open, breaker.HalfOpen, breaker.Closed}, states)
	require.Equal(t, 1000, circuit.all(breaker.Closed)[1].FailedProbes)
	require.Equal(t, "timed out after 10s", circuit.all(breaker.Closed)[1].Cause, "of the latest probe")
}

func TestTurnsOfTheCircuitAreBounded(t *testing.T) {
	t.Parallel()
	var circuit turns
	for range turnsKept {
		circuit.note(breaker.Closed, "")
		circuit.note(breaker.Open, "")
	}
	require.Len(t, circuit.all(breaker.Open), turnsKept)
}
