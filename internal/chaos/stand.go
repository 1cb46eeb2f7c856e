package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
)

// Stand is one run: a shop that confirms orders, the processes that report them, and a CJ. It is safe for concurrent
// use.
type Stand struct {
	// Config is what every process starts with. It may be changed before the first one does.
	Config config.Config
	CJ     *CJ
	Admin  *kadm.Client

	program, dir string
	lot          lot
	client       *kgo.Client // of the shop
	clerk        *clerk
	history      *history

	mu sync.Mutex
	// drawn is how many orders were made, of which Kafka has those in orders.
	drawn  int
	orders []*Order
	relays []*Relay
	// idle are the click directories of processes that have ended.
	idle []string
}

// Options open a stand.
type Options struct {
	Brokers []string
	// Program is what Build made, Dir where the processes keep their files.
	Program, Dir string
	Seed         uint64
	// Topics that are there, and the group's name.
	Orders, Clicks, DeadLetter, Outcomes, Group string
}

// Open connects to Kafka and starts CJ. No process runs yet.
func Open(ctx context.Context, o Options) (s *Stand, err error) {
	cfg := config.Default()
	cfg.Kafka.Brokers = o.Brokers
	// The shortest that the configuration allows: the group waits that long for a process that was killed.
	cfg.Kafka.SessionTimeout = 6 * time.Second
	cfg.Orders.Topic, cfg.Orders.Group, cfg.Orders.Format, cfg.Orders.Start = o.Orders, o.Group, config.JSON, config.StartEarliest
	cfg.Clicks.Topic, cfg.Clicks.Format, cfg.Clicks.Memory = o.Clicks, config.JSON, 32*config.MiB
	cfg.DeadLetter.Topic, cfg.Outcomes.Topic = o.DeadLetter, o.Outcomes
	cfg.CJ.EnterpriseID, cfg.CJ.Actions = enterpriseID, map[string]string{"sale": saleTracker, "survey": lostTracker}
	cfg.Delivery.BackoffInitial, cfg.Delivery.BackoffMax = 50*time.Millisecond, 2*time.Second
	// Orders that would be judged with too few others beside them wait this long: in a test they often are.
	cfg.Delivery.MassWait = time.Second
	s = &Stand{Config: cfg, program: o.Program, dir: o.Dir, lot: newLot(o.Seed)}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.client, err = kgo.NewClient(append(s.kafka(), kgo.ProducerLinger(0))...); err != nil {
		return nil, err
	}
	s.Admin = kadm.NewClient(s.client)
	if s.CJ, err = StartCJ(); err != nil {
		return nil, err
	}
	if s.history, err = follow(ctx, s.kafka(), s.Admin, o.Group, o.Orders); err != nil {
		return nil, err
	}
	s.clerk, err = newClerk(s.kafka(), o.Outcomes, o.DeadLetter)
	return s, err
}

// kafka is how the stand itself reaches Kafka, whatever way the processes have.
func (s *Stand) kafka() []kgo.Opt { return []kgo.Opt{kgo.SeedBrokers(s.Config.Kafka.Brokers...)} }

// Close kills what still runs and ends everything.
func (s *Stand) Close() {
	for _, r := range s.Relays() {
		if !r.Over() {
			_ = r.command.Process.Kill()
			<-r.over
		}
	}
	if s.CJ != nil {
		s.CJ.Close()
	}
	if s.history != nil {
		s.history.close()
	}
	if s.clerk != nil {
		s.clerk.close()
	}
	if s.client != nil {
		s.client.Close()
	}
}

// Confirm lets that many more shoppers confirm their orders, and returns when Kafka has them. An order's clicks are
// there before it, so that the truth about it does not depend on who is faster.
func (s *Stand) Confirm(ctx context.Context, n int) error {
	now := time.Now()
	orders := make([]*Order, n)
	var clicks, records []*kgo.Record
	s.mu.Lock()
	for i := range orders {
		orders[i] = s.lot.draw(s.drawn, now)
		s.drawn++
	}
	s.mu.Unlock()
	for _, o := range orders {
		clicks = append(clicks, o.clickRecords(s.Config.Clicks.Topic)...)
		records = append(records, o.record(s.Config.Orders.Topic))
	}
	if err := s.client.ProduceSync(ctx, clicks...).FirstErr(); err != nil {
		return fmt.Errorf("writing clicks: %w", err)
	}
	if err := s.client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("writing orders: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, r := range records {
		orders[i].Place = Place{r.Partition, r.Offset}
	}
	s.orders = append(s.orders, orders...)
	return nil
}

// Start runs one more process, with changes to the configuration if there are any.
func (s *Stand) Start(changes ...func(*config.Config)) (*Relay, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprintf("relay-%d", len(s.relays)+1)
	cfg := s.Config
	cfg.CJ.Endpoint = s.CJ.EndpointFor(name)
	cfg.Clicks.Dir = fmt.Sprintf("%s/clicks-%d", s.dir, len(s.relays)+1)
	if n := len(s.idle); n > 0 {
		cfg.Clicks.Dir, s.idle = s.idle[n-1], s.idle[:n-1]
	}
	for _, change := range changes {
		change(&cfg)
	}
	r, err := startRelay(s.program, s.dir, name, cfg)
	if err != nil {
		return nil, err
	}
	s.relays = append(s.relays, r)
	go func() {
		<-r.over
		s.mu.Lock()
		defer s.mu.Unlock()
		s.idle = append(s.idle, cfg.Clicks.Dir)
	}()
	return r, nil
}

// Relays are all processes there were, in the order in which they were started.
func (s *Stand) Relays() []*Relay {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.relays)
}

// Confirmed is how many orders there are.
func (s *Stand) Confirmed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.orders)
}

// AwaitOutcomes waits until every order has an outcome, and gives up when for so long no other one had any.
func (s *Stand) AwaitOutcomes(ctx context.Context, standstill time.Duration) error {
	return s.clerk.await(ctx, s.Confirmed(), standstill)
}

// left is how many offsets each partition's committed one is from its end.
func (s *Stand) left(ctx context.Context) (map[int32]int64, error) {
	return retried(ctx, func() (map[int32]int64, error) {
		ends, err := endsOf(ctx, s.Admin, s.Config.Orders.Topic)
		if err != nil {
			return nil, err
		}
		committed, err := s.Admin.FetchOffsets(ctx, s.Config.Orders.Group)
		if err != nil {
			return nil, err
		}
		left := map[int32]int64{}
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := committed.Lookup(s.Config.Orders.Topic, end.Partition)
			left[end.Partition] = end.Offset - max(at.At, 0)
		})
		return left, nil
	})
}

// AwaitCommitted waits until the group has everything.
func (s *Stand) AwaitCommitted(ctx context.Context) error {
	for {
		left, err := s.left(ctx)
		if err != nil {
			return err
		}
		if !anyLeft(left) {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond): // Kafka does not tell when a group commits
		case <-ctx.Done():
			return fmt.Errorf("not everything is committed: %v: %w", left, ctx.Err())
		}
	}
}

// Books closes the books. No process may run any more.
func (s *Stand) Books(ctx context.Context) (*Books, error) {
	var problems []error
	for _, r := range s.Relays() {
		if !r.Over() {
			return nil, fmt.Errorf("%s still runs", r.Name)
		}
		problems = append(problems, r.failed())
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	left, err := s.left(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.clerk.readAll(ctx, s.Admin); err != nil {
		return nil, err
	}
	commits, generations, strange, err := s.history.all(ctx, s.Admin)
	if err != nil {
		return nil, err
	}
	return &Books{
		Orders: s.orders, Requests: s.CJ.Requests(), Judged: s.CJ.Received(), Outcomes: s.clerk.outcomes, Letters: s.clerk.letters,
		Commits: commits, Generations: generations, Left: left, Strange: slices.Concat(strange, s.clerk.strange), Disturbances: s.disturbances(),
	}, nil
}

func anyLeft(left map[int32]int64) bool {
	for _, n := range left {
		if n != 0 {
			return true
		}
	}
	return false
}
