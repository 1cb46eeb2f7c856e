//go:build synctests

package sim

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/relay"
	"github.com/cjrelay/cjrelay/internal/topics"
)

// world is everything that a run consists of. It lives in one bubble.
type world struct {
	t       *testing.T
	options Options
	config  config.Config
	random  *rand.Rand
	began   time.Time

	network *kfake.VirtualNetwork
	kafka   *kfake.Cluster
	// ways lead to the brokers, by address. They are made before anybody dials.
	ways     map[string]*line
	client   *kgo.Client
	admin    *kadm.Client
	cj       *cj
	registry *registry
	watch    *watch
	ghosts   *ghosts
	shoppers []*shopper

	mu    sync.Mutex
	units []*unit
	// dirs are those of relays that have ended, for the next ones.
	dirs []string
	// troubled are the times in which Kafka was in trouble of some kind.
	troubled []interval
	// removed is what retention took before it was committed.
	removed []removal

	findings
}

// removal is what retention took at once: offsets from from to below to.
type removal struct {
	partition int32
	from, to  int64
}

// interval is a stretch of the run. It has no end while it lasts.
type interval struct{ from, to time.Time }

func (i interval) meets(from, to time.Time) bool {
	return !i.from.After(to) && (i.to.IsZero() || !i.to.Before(from))
}

// firstPort is the first broker's.
const firstPort = 9092

// today is when a run takes place. A bubble's own time begins in 2000, and clicks are older than orders.
var today = time.Date(2026, 3, 27, 11, 0, 0, 0, time.UTC)

// open makes the world with its topics, and nothing in them.
func open(t *testing.T, o Options) *world {
	t.Helper()
	time.Sleep(time.Until(today))
	w := &world{t: t, options: o, random: rand.New(rand.NewPCG(o.Seed, 2)), network: &kfake.VirtualNetwork{}, registry: newRegistry(), shoppers: shoppers(o)}
	ports := make([]int, o.Brokers)
	for i := range ports {
		ports[i] = firstPort + i
	}
	var err error
	w.kafka, err = kfake.NewCluster(kfake.NumBrokers(o.Brokers), kfake.Ports(ports...), kfake.ListenFn(w.network.Listen))
	require.NoError(t, err)
	w.ways = map[string]*line{}
	for _, address := range w.kafka.ListenAddrs() {
		w.ways[address] = newLine(0)
	}
	w.cj = openCJ(o.Seed)
	w.config = settings(o, w.kafka.ListenAddrs())
	w.client, err = kgo.NewClient(w.reach(w.dial)...)
	require.NoError(t, err)
	w.admin = kadm.NewClient(w.client)
	policy := "delete"
	if o.Compaction {
		policy = "compact"
	}
	response, err := w.admin.CreateTopic(t.Context(), int32(o.Partitions), 1, map[string]*string{"cleanup.policy": &policy}, w.config.Orders.Topic)
	require.NoError(t, err)
	require.NoError(t, response.Err)
	_, err = topics.Create(t.Context(), w.admin, relay.Names(w.config), int32(o.Partitions), 1)
	require.NoError(t, err)
	w.watch, w.ghosts = newWatch(w), watchGhosts(w)
	return w
}

// settings are the relays'.
func settings(o Options, brokers []string) config.Config {
	cfg := config.Default()
	cfg.Kafka.Brokers, cfg.Kafka.SessionTimeout, cfg.Kafka.RebalanceTimeout = brokers, o.SessionTimeout, o.RebalanceTimeout
	cfg.Registry.URL = "http://127.0.0.1:8081"
	cfg.Orders.Format, cfg.Orders.Start = o.OrderFormat, config.StartEarliest
	cfg.Orders.MaxPending, cfg.Orders.MaxPendingPerPartition = o.MaxPending, o.MaxPendingPerPartition
	cfg.Clicks.Format, cfg.Clicks.Join, cfg.Clicks.Memory = o.ClickFormat, o.Join, 32*config.MiB
	cfg.CJ.Endpoint = "http://127.0.0.1:8085/u"
	cfg.CJ.EnterpriseID, cfg.CJ.Actions, cfg.CJ.Signature = enterpriseID, map[string]string{"sale": saleTracker}, signature
	cfg.CJ.Timeout, cfg.CJ.RetryAfterCap = o.Timeout, o.RetryAfterCap
	cfg.Delivery.Concurrency, cfg.Delivery.CommitInterval, cfg.Delivery.Drain, cfg.Delivery.BackoffMax = o.Concurrency, o.CommitInterval, o.Drain, o.BackoffMax
	cfg.Delivery.ShutdownGrace = o.Drain + 10*time.Second
	cfg.Breaker.Open = o.BreakerOpen
	return cfg
}

// reach says how to connect with Kafka over a network.
func (w *world) reach(dial dialFunc) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.config.Kafka.Brokers...), kgo.Dialer(dial)}
}

// dial connects with a broker.
func (w *world) dial(ctx context.Context, network, address string) (net.Conn, error) {
	way := w.ways[address]
	if way == nil {
		return nil, fmt.Errorf("no broker is at %s", address)
	}
	return way.through(w.network.DialContext)(ctx, network, address)
}

// close ends the world. The relays must have ended.
func (w *world) close() {
	w.client.Close()
	w.kafka.Close()
	w.cj.close()
}

// since is a time as the options have it.
func (w *world) since(at time.Time) time.Duration { return at.Sub(w.began).Round(time.Millisecond) }

// trouble notes that Kafka is in trouble until the returned function is called.
func (w *world) trouble() (over func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := len(w.troubled)
	w.troubled = append(w.troubled, interval{from: time.Now()})
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.troubled[i].to = time.Now()
	}
}

// running are the relays that have not been told to end, oldest first.
func (w *world) running() []*unit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(w.units), func(u *unit) bool { return u.ending() })
}

func (w *world) all() []*unit {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.units)
}

// ends are the ends of a topic's partitions, as a consumer sees them.
func (w *world) ends(topic string) map[int32]int64 {
	ends := map[int32]int64{}
	for _, p := range w.kafka.PartitionInfos(topic) {
		ends[p.Partition] = p.LastStableOffset
	}
	return ends
}

// sleep waits until a time of the options, or ctx ends.
func (w *world) sleep(ctx context.Context, until time.Duration) bool {
	timer := time.NewTimer(time.Until(w.began.Add(until)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// read returns every committed record of a topic, by partition and in its order.
func (w *world) read(topic string) []*kgo.Record {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	left, from := map[int32]int64{}, map[int32]kgo.Offset{}
	for _, p := range w.kafka.PartitionInfos(topic) {
		if p.LastStableOffset > p.LogStartOffset {
			left[p.Partition], from[p.Partition] = p.LastStableOffset, kgo.NewOffset().At(p.LogStartOffset)
		}
	}
	var records []*kgo.Record
	if len(left) == 0 {
		return nil
	}
	client, err := kgo.NewClient(append(w.reach(w.dial), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: maps.Clone(from)}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))...)
	require.NoError(w.t, err)
	defer client.Close()
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		require.NoError(w.t, fetches.Err(), fmt.Sprintf("reading %s: %v are left", topic, left))
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset >= left[r.Partition]-1 {
				delete(left, r.Partition)
			}
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
		})
	}
	return records
}
