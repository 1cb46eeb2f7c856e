package chaos

import (
	"context"
	"math/rand/v2"
	"time"
)

// Between so many processes there are, unless some are still stopping.
const (
	fewest = 2
	most   = 5
)

// shuffleMembers lets a process join or leave every second or so. One leaving in six is a kill: after each the group
// can give out nothing until it knows that the process is dead, so more of them would leave no time for anything else.
func (s *storm) shuffleMembers(ctx context.Context, random *rand.Rand) error {
	for rest(ctx, between(random, 500*time.Millisecond, 1500*time.Millisecond)) == nil {
		running := s.running()
		joins, kills, who := random.IntN(2) == 0, random.IntN(6) == 0, random.IntN(most)
		switch {
		case len(running) <= fewest, joins && len(running) < most:
			if err := s.join(); err != nil {
				return err
			}
		case kills:
			if err := running[who%len(running)].Kill(); err != nil {
				return err
			}
			s.kills.Add(1)
		default:
			if err := running[who%len(running)].Terminate(ctx); err != nil {
				return unlessOver(ctx, err)
			}
			s.leaves.Add(1)
		}
	}
	return nil
}

func (s *storm) join() error {
	s.joins.Add(1)
	_, err := s.Start()
	return err
}

// running are the processes that nobody has told to end.
func (s *storm) running() []*Relay {
	var running []*Relay
	for _, r := range s.Relays() {
		if r.atWork() {
			running = append(running, r)
		}
	}
	return running
}
