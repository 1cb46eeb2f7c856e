package sessions

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/cjrelay/cjrelay/internal/kafkatest"
)

// mall is a world with many shoppers at once. Each has a session of its own, so that it knows what must be known of it
// however the others are getting on.
type mall struct {
	*world
	// open is held by each shopper while it does something, and by the caretaker as a whole while it works.
	open *semaphore.Weighted
	// transacting is held by the shopper with a transaction: only one that is alone can tell when its markers are
	// written.
	transacting *semaphore.Weighted
	visits      chan struct{}
}

const (
	shoppers       = 8
	visitsEach     = 12
	visitsPerChore = 8
)

func TestVerdictsEqualTheOraclesWithManyShoppers(t *testing.T) {
	t.Parallel()
	first, last := oracleSeeds(t, 40, 8)
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("Seed%d", seed), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(t *testing.T, cluster *kafkatest.Cluster) {
				w := newWorld(t, cluster, seed)
				if err := w.shop(seed); err != nil {
					w.fail(seed, err)
				}
			})
		})
	}
}

func (w *world) shop(seed uint64) error {
	defer w.stopAll()
	m := &mall{
		world: w, open: semaphore.NewWeighted(shoppers), transacting: semaphore.NewWeighted(1),
		visits: make(chan struct{}, shoppers*visitsEach),
	}
	for _, i := range w.instances {
		for p := range w.partitions {
			i.ours[int32(p)] = true
		}
		i.start()
	}
	shopping, ctx := errgroup.WithContext(w.t.Context())
	for n := range shoppers {
		random := rand.New(rand.NewPCG(seed, uint64(n)))
		shopping.Go(func() error { return m.shopper(ctx, random, fmt.Sprintf("shopper-%d", n)) })
	}
	// Here, since a test may be failed by its own goroutine only.
	taken := m.caretaker(ctx)
	if err := shopping.Wait(); err != nil {
		return err
	}
	return taken
}

// shopper clicks and orders.
func (m *mall) shopper(ctx context.Context, random *rand.Rand, session string) error {
	for range visitsEach {
		if err := m.open.Acquire(ctx, 1); err != nil {
			return err
		}
		err := m.visit(ctx, random, session)
		m.open.Release(1)
		m.visits <- struct{}{}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *mall) visit(ctx context.Context, random *rand.Rand, session string) error {
	var entries []*entry
	for range 1 + random.IntN(3) {
		entries = append(entries, m.recordOf(random, session, int32(len(m.partitions))))
	}
	write := m.send
	if random.IntN(4) == 0 {
		write = m.transact
	}
	if err := write(ctx, nil, entries...); err != nil {
		return err
	}
	if random.IntN(3) == 0 {
		return nil
	}
	i, p := pick(random, m.instances...), entries[0].partition
	g := i.gate()
	if err := i.wait(g, p, long); err != nil {
		return fmt.Errorf("the gate does not open for %s in partition %d: %w", session, p, err)
	}
	return i.look(g, p, random, session)
}

// transact writes in a transaction of its own, every third of which is aborted.
func (m *mall) transact(ctx context.Context, _ *transaction, entries ...*entry) error {
	if err := m.transacting.Acquire(ctx, 1); err != nil {
		return err
	}
	defer m.transacting.Release(1)
	client, err := kgo.NewClient(m.producing(kgo.TransactionalID(kafkatest.Name("edge")), kgo.TransactionTimeout(15*time.Minute))...)
	if err != nil {
		return err
	}
	defer client.Close()
	in := &transaction{client: client, first: map[int32]int64{}, vague: true}
	if err := client.BeginTransaction(); err != nil {
		return err
	}
	// From here on nothing behind it is stable, but where it will lie nobody knows yet.
	m.mu.Lock()
	for p, partition := range m.partitions {
		in.first[int32(p)] = partition.end
	}
	m.running = append(m.running, in)
	m.mu.Unlock()
	if err := m.send(ctx, in, entries...); err != nil {
		return err
	}
	committed := entries[0].at.Hour()%3 != 0
	if err := client.EndTransaction(ctx, kgo.TransactionEndTry(committed)); err != nil {
		return err
	}
	last := entries[len(entries)-1]
	for {
		listed, err := m.Admin.ListCommittedOffsets(ctx, m.topic)
		if err != nil {
			return err
		}
		if stable, _ := listed.Lookup(m.topic, last.partition); stable.Offset > last.offset {
			break
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	in.ended, in.committed, m.running = true, committed, nil
	return nil
}

// caretaker does now and then what only goes while nobody shops.
func (m *mall) caretaker(ctx context.Context) error {
	for range shoppers * visitsEach / visitsPerChore {
		for range visitsPerChore {
			select {
			case <-m.visits:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := m.open.Acquire(ctx, shoppers); err != nil {
			return err
		}
		err := m.chore()
		m.open.Release(shoppers)
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *mall) chore() error {
	i := pick(m.rand, m.instances...)
	switch m.rand.IntN(7) {
	case 0:
		if !m.Real() || m.one(3) {
			m.compact()
		}
	case 1:
		m.deleteRecords(m.anyPartition())
	case 2:
		return i.stopInRestore()
	case 3:
		i.comeBack(m.anyPartition())
	default:
		return i.restart(m.one(3))
	}
	return nil
}

// fail tells everything about a scenario that went wrong.
func (w *world) fail(seed uint64, err error) {
	w.t.Helper()
	require.FailNow(w.t, fmt.Sprintf("seed %d: %v", seed, err), "%s\nrun it alone: ORACLE_SEEDS=%d-%d go test ./sessions -run '%s'",
		w.story(), seed, seed, w.t.Name())
}
