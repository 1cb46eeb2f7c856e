package demo

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/breaker"
)

// phase is where the story stands.
type phase int

const (
	opening phase = iota
	shopping
	failing
	hanging
	recovering
	restarting
	finishing
	auditing
	told
)

// story is one demo under way.
type story struct {
	orders  int
	seed    uint64
	pace    pace
	began   time.Time
	world   *world
	relays  *relays
	till    *till
	clerk   *clerk
	console string
	// token is what the console's actions ask for.
	token string

	mu    sync.Mutex
	phase phase
	// reached holds the phases that were entered.
	reached map[phase]bool
	// left is the phase that went back to shopping, and leftAt when.
	left   phase
	leftAt time.Time
}

func (s *story) enter(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.phase = p
	s.reached[p] = true
}

// shown is the phase to show: one that is over in a blink stays for a moment. The caller holds mu.
func (s *story) shown() phase {
	if s.phase == shopping && time.Since(s.leftAt) < time.Second {
		return s.left
	}
	return s.phase
}

const (
	// patience is how long the demo waits for a next outcome before it calls the missing ones lost. Orders may
	// be held back for 20 s on purpose.
	patience = time.Minute
	// settling is how long the last offsets and dead letters may take once every order has its outcome.
	settling = 10 * time.Second
)

// tell plays the story and returns its ledger. The relay and CJ are still there afterwards.
func (s *story) tell(ctx context.Context) (*Ledger, error) {
	start := time.Now().UTC().Truncate(time.Millisecond)
	group, ctx := errgroup.WithContext(ctx)
	ctx, finish := context.WithCancel(ctx)
	defer finish()
	group.Go(func() error {
		select {
		case err := <-s.relays.failed:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	group.Go(func() error { return s.clerk.work(ctx) })
	group.Go(func() error {
		defer finish()
		return s.play(ctx, start)
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return s.audit(start), nil
}

// play lets shoppers come, CJ go down and the consumer be restarted, and waits for the outcomes.
func (s *story) play(ctx context.Context, start time.Time) error {
	happenings, happening := errgroup.WithContext(ctx)
	happenings.Go(func() error { return s.shop(happening, start) })
	recovered := make(chan struct{})
	happenings.Go(func() error {
		defer close(recovered)
		return s.outage(happening)
	})
	happenings.Go(func() error { return s.restart(happening, recovered) })
	if err := happenings.Wait(); err != nil {
		return err
	}
	s.enter(finishing)
	s.clerk.await(ctx, patience, func() bool {
		_, _, concluded := s.clerk.concluded()
		return concluded >= s.orders
	})
	s.enter(auditing)
	s.settle(ctx)
	return ctx.Err()
}

// shop lets the shoppers in, as their time comes.
func (s *story) shop(ctx context.Context, start time.Time) error {
	s.enter(shopping)
	crowd, opened := newCrowd(s.seed), time.Now()
	for placed := 0; placed < s.orders; {
		// No more at once than the till takes in a moment, also when this machine fell behind.
		due := min(s.pace.due(s.orders, time.Since(opened)), placed+1000)
		shoppers := make([]*shopper, 0, due-placed)
		for i := placed; i < due; i++ {
			shoppers = append(shoppers, crowd.shopper(i, start))
		}
		if err := s.till.serve(ctx, placed, shoppers); err != nil {
			return err
		}
		placed = due
		if err := rest(ctx, s.pace.tick); err != nil {
			return err
		}
	}
	return s.till.flush(ctx)
}

// outage takes CJ down and waits until the relay has got over it.
func (s *story) outage(ctx context.Context) error {
	s.world.cj.Script(ordinaryDay()...)
	if err := rest(ctx, s.pace.outage); err != nil {
		return err
	}
	s.world.cj.Script(s.pace.outageRules()...)
	s.enter(failing)
	if err := rest(ctx, s.pace.failing); err != nil {
		return err
	}
	s.enter(hanging)
	if err := rest(ctx, s.pace.hanging); err != nil {
		return err
	}
	s.enter(recovering)
	back := time.Now()
	defer s.leave(recovering)
	for !s.caughtUp(back) && time.Since(back) < patience {
		if err := rest(ctx, lookEvery); err != nil { // the relay's standing is asked, it does not tell
			return err
		}
	}
	return nil
}

// restart replaces the relay by another one while orders come in, but tells one trouble after the other.
func (s *story) restart(ctx context.Context, recovered <-chan struct{}) error {
	if err := rest(ctx, s.pace.restart); err != nil {
		return err
	}
	select {
	case <-recovered:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.enter(restarting)
	defer s.leave(restarting)
	return s.relays.restart(ctx)
}

// leave goes back to shopping, unless another phase has begun.
func (s *story) leave(p phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.phase == p {
		s.phase, s.left, s.leftAt = shopping, p, time.Now()
	}
}

// caughtUp tells whether the orders that waited when CJ came back have their outcomes.
func (s *story) caughtUp(back time.Time) bool {
	_, _, concluded := s.clerk.concluded()
	few := s.till.count()-concluded <= s.orders/50+1
	oldest := s.relays.oldest()
	return few && s.relays.breaker() == breaker.Closed && (oldest.IsZero() || oldest.After(back))
}

// settle waits until the last dead letter is read and the last offset committed.
func (s *story) settle(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	cfg := s.world.config
	s.clerk.await(ctx, settling, func() bool {
		return s.clerk.hasRead(cfg.Outcomes.Topic, s.world.ends(cfg.Outcomes.Topic)) &&
			s.clerk.hasRead(cfg.DeadLetter.Topic, s.world.ends(cfg.DeadLetter.Topic))
	})
	for !s.committed() {
		if rest(ctx, 10*time.Millisecond) != nil { // Kafka does not tell when a group commits
			return
		}
	}
}

func (s *story) committed() bool {
	for _, left := range s.world.uncommitted() {
		if left != 0 {
			return false
		}
	}
	return true
}

// audit closes the books.
func (s *story) audit(start time.Time) *Ledger {
	b := &books{seed: s.seed, start: start, places: s.till.places, received: s.world.cj.Received(), uncommitted: s.world.uncommitted()}
	s.clerk.file(b)
	ledger := audit(b)
	ledger.Seconds = float64(time.Since(s.began).Round(100*time.Millisecond)) / float64(time.Second)
	return ledger
}

// rest waits for a time, or until ctx ends.
func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
