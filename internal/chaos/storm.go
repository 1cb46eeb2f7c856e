package chaos

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cjrelay/cjrelay/cjtest"
)

// StormOptions say how long and how much.
type StormOptions struct {
	// Orders is how many are confirmed, For over what time, during which everything else goes wrong. On a slow machine
	// both take longer.
	Orders int
	For    time.Duration
	// Seed decides what goes wrong in which order. When, the machine decides, too: a seed repeats the scenario, not
	// the run.
	Seed uint64
	// Cluster is the path of cluster.sh, whose three nodes are up.
	Cluster string
	// Dir is for the processes' files.
	Dir string
	Out io.Writer
}

// storm is one run.
type storm struct {
	StormOptions
	*Stand
	nodes nodes
	began time.Time

	brokerKills, leaderMoves, joins, leaves, kills atomic.Int64
}

// lull bounds how long no order may end once nothing fails any more: longer than the group, the breaker, a backoff
// and a dead process's session can take together.
const lull = 3 * time.Minute

// Storm runs everything at once and audits it. It returns an error where the run itself could not go on, also when a
// process ended by itself; whether the contract held is in the report.
func Storm(ctx context.Context, o StormOptions) (*Report, error) {
	program, err := Build(ctx, o.Dir)
	if err != nil {
		return nil, err
	}
	s := &storm{StormOptions: o, nodes: nodes{script: o.Cluster}, began: time.Now()}
	brokers, err := s.nodes.brokers(ctx)
	if err != nil {
		return nil, err
	}
	run := time.Now().UnixNano()
	name := func(of string) string { return fmt.Sprintf("chaos-%s-%d", of, run) }
	options := Options{Brokers: brokers, Program: program, Dir: o.Dir, Seed: o.Seed, Group: name("group"),
		Orders: name("orders"), Clicks: name("clicks"), DeadLetter: name("dlq"), Outcomes: name("outcomes")}
	if err := makeTopics(ctx, options); err != nil {
		return nil, err
	}
	if s.Stand, err = Open(ctx, options); err != nil {
		return nil, err
	}
	defer s.Close()
	s.CJ.Script(cjtest.Rule{Every: 50, Status: 503}, cjtest.Rule{Latency: cjtest.Between(0, 20*time.Millisecond)})
	if err := s.rage(ctx); err != nil {
		return nil, errors.Join(err, s.broken())
	}
	s.say("the storm is over; waiting for the rest")
	if err := s.calm(ctx); err != nil {
		return nil, errors.Join(err, s.broken())
	}
	books, err := s.Books(ctx)
	if err != nil {
		return nil, err
	}
	return s.report(books.Audit()), nil
}

// makeTopics makes the four topics as a user would.
func makeTopics(ctx context.Context, o Options) error {
	command := exec.CommandContext(ctx, o.Program, "topics", "--partitions", "6")
	command.Dir = o.Dir
	for key, value := range map[string]string{
		"KAFKA__BROKERS": strings.Join(o.Brokers, ","), "ORDERS__TOPIC": o.Orders, "CLICKS__TOPIC": o.Clicks,
		"DEAD_LETTER__TOPIC": o.DeadLetter, "OUTCOMES__TOPIC": o.Outcomes,
	} {
		command.Env = append(command.Env, "CJRELAY_"+key+"="+value)
	}
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cjrelay topics: %w: %s", err, output)
	}
	return nil
}

// rage lets shoppers come while brokers, leaders and processes come and go, until all orders are confirmed, the time
// is over, and each broker was killed at least once.
func (s *storm) rage(ctx context.Context) error {
	for range 3 {
		if err := s.join(); err != nil {
			return err
		}
	}
	faults, end := context.WithCancel(ctx)
	defer end()
	group, faults := errgroup.WithContext(faults)
	random := func(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(s.Seed, stream)) }
	everyBroker := make(chan struct{})
	group.Go(func() error { return s.shakeBrokers(faults, random(1), everyBroker) })
	group.Go(func() error { return s.moveLeaders(faults, random(2)) })
	group.Go(func() error { return s.shuffleMembers(faults, random(3)) })
	group.Go(func() error { return s.watch(faults) })
	group.Go(func() error {
		if err := s.shop(faults); err != nil {
			return err
		}
		select {
		case <-everyBroker:
		case <-faults.Done():
		}
		end()
		return nil
	})
	err := group.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// shop confirms the orders, spread over the time.
func (s *storm) shop(ctx context.Context) error {
	began := time.Now()
	for confirmed := 0; confirmed < s.Orders; {
		due := min(s.Orders, int(float64(s.Orders)*float64(time.Since(began))/float64(s.For)))
		// No more at once than a shop would, also when Kafka had been away.
		if n := min(due-confirmed, 1000); n > 0 {
			if err := s.Confirm(ctx, n); err != nil {
				return err
			}
			confirmed += n
		}
		if err := rest(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
	return rest(ctx, time.Until(began.Add(s.For)))
}

// watch says how it goes, and ends the run when a process ends by itself.
func (s *storm) watch(ctx context.Context) error {
	for {
		if err := rest(ctx, 5*time.Second); err != nil {
			return nil
		}
		if err := s.broken(); err != nil {
			return err
		}
		concluded, _ := s.clerk.concluded()
		requests, acknowledged := s.CJ.Counts()
		s.say("%d orders, %d with an outcome; CJ: %d requests, %d acknowledged; %d processes, %d broker kills, %d leader moves",
			s.Confirmed(), concluded, requests, acknowledged, len(s.running()), s.brokerKills.Load(), s.leaderMoves.Load())
	}
}

// broken returns which processes ended by themselves, and why.
func (s *storm) broken() error {
	var all []error
	for _, r := range s.Relays() {
		all = append(all, r.failed())
	}
	return errors.Join(all...)
}

// calm waits for the processes that are stopping, until every order has an outcome, and stops the rest.
func (s *storm) calm(ctx context.Context) error {
	for len(s.running()) < 2 {
		if err := s.join(); err != nil {
			return err
		}
	}
	if err := s.AwaitOutcomes(ctx, lull); err != nil {
		return err
	}
	// An outcome may be a killed process's, of an order that another one is doing again.
	committing, cancel := context.WithTimeout(ctx, lull)
	defer cancel()
	if err := s.AwaitCommitted(committing); err != nil {
		return err
	}
	for _, r := range s.running() {
		if err := r.Terminate(ctx); err != nil {
			return err
		}
	}
	for _, r := range s.Relays() {
		if r.killed.IsZero() {
			if err := r.AwaitStop(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *storm) say(format string, args ...any) {
	fmt.Fprintf(s.Out, "%6.1f s  %s\n", time.Since(s.began).Seconds(), fmt.Sprintf(format, args...))
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

// between is a random time from low on and below high.
func between(random *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(random.Int64N(int64(high-low)))
}
