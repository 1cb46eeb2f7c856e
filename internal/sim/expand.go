//go:build synctests

package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
)

// Calm are options of a world in which nothing fails, and shoppers come at their leisure.
func Calm(seed uint64) Options {
	return Options{
		Seed: seed, Brokers: 1, Partitions: 3, Relays: 1,
		Join: config.JoinGlobal, OrderFormat: config.JSON, ClickFormat: config.JSON,
		Orders: 100, Over: 20 * time.Second, Encore: 3,
		Concurrency: 8, MaxPending: 1000, MaxPendingPerPartition: 500,
		CommitInterval: time.Second, Timeout: 2 * time.Second, Drain: 5 * time.Second, BackoffMax: 5 * time.Second,
		SessionTimeout: 10 * time.Second, RebalanceTimeout: 20 * time.Second, RetryAfterCap: 10 * time.Second,
		BreakerOpen: 2 * time.Second,
		Delay:       time.Millisecond,
		Latency:     cjtest.Between(10*time.Millisecond, 200*time.Millisecond),
	}
}

// Expand draws the options of a seed.
func Expand(seed uint64) Options {
	r := rand.New(rand.NewPCG(seed, 0))
	o := Calm(seed)
	o.Brokers, o.Partitions, o.Relays = 1+r.IntN(3), 1+r.IntN(6), 1+r.IntN(3)
	o.OrderFormat = one(r, config.JSON, config.JSON, config.Avro)
	o.ClickFormat = one(r, config.JSON, config.BareClick, config.Avro)
	o.Join = one(r, config.JoinGlobal, config.JoinGlobal, config.JoinCopartitioned)
	o.History, o.Orders = one(r, 0, 0, 50, 150), 50+r.IntN(150)
	o.Over = time.Duration(30+r.IntN(45)) * time.Second
	o.Transactions, o.Compaction = r.IntN(3) == 0, o.Join == config.JoinGlobal && o.History > 0 && r.IntN(2) == 0
	o.Concurrency = one(r, 1, 4, 16, 64)
	o.MaxPending = one(r, 20, 100, 1000)
	o.MaxPendingPerPartition = one(r, 5, 50, 500)
	o.CommitInterval = one(r, 50*time.Millisecond, time.Second, 5*time.Second)
	o.Delay = one(r, 200*time.Microsecond, time.Millisecond, 10*time.Millisecond)
	o.Latency = one(r, cjtest.Fixed(time.Millisecond), cjtest.Between(10*time.Millisecond, 200*time.Millisecond), cjtest.LogNormal(50*time.Millisecond, time.Second))
	// Not as short as Kafka allows: the fake lets a member's session run out while it waits for the others to join.
	o.SessionTimeout = one(r, 10*time.Second, 20*time.Second)
	for range r.IntN(4) {
		o.CJ = append(o.CJ, o.outage(r)...)
	}
	for range r.IntN(7) {
		o.Faults = append(o.Faults, o.fault(r)...)
	}
	slices.SortStableFunc(o.Faults, func(a, b Fault) int { return int(a.At - b.At) })
	return o
}

func one[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// outage is something that CJ does for a while.
func (o Options) outage(r *rand.Rand) []cjtest.Rule {
	from := drawn(r, 0, o.Over)
	text := fmt.Sprintf("%v-%v %s", from, from+drawn(r, time.Second, 20*time.Second), one(r,
		"status=503", "status=500", "html status=502", "hang", "reset", "malformed", "latency=1500ms", "every=3 status=503", "every=2 reset", "every=4 hang",
		"status=429 retry-after=3", "status=503 retry-after=+7s", "every=10 status=429 retry-after=86400", "status=403", "redirect=http://127.0.0.1:1/", "empty", "html"))
	rules, err := cjtest.ParseScript(text)
	if err != nil {
		panic(err)
	}
	return rules
}

// fault is something that happens to Kafka or to a relay.
func (o Options) fault(r *rand.Rand) []Fault {
	f := Fault{At: drawn(r, 0, o.Over), For: drawn(r, 100*time.Millisecond, 10*time.Second), Relay: r.IntN(8)}
	cfg := config.Default()
	f.Kind = one(r, CommitFails, CommitWithMetadataFails, WriteFails, ReadFails, ListFails, HeartbeatFails, CoordinatorMoves, LeadersMove, BrokerAway,
		Join, Join, Leave, Restart, Restart, Crash, Crash, Cut, Silence, RegistryAway, Retention)
	switch f.Kind {
	case CommitFails:
		f.Error = one(r, kerr.UnknownServerError, kerr.RequestTimedOut, kerr.RebalanceInProgress, kerr.CoordinatorLoadInProgress, kerr.NotCoordinator)
	case CommitWithMetadataFails:
		f.Error = kerr.OffsetMetadataTooLarge
	case WriteFails:
		f.Topic = one(r, cfg.Outcomes.Topic, cfg.DeadLetter.Topic)
		f.Error = one(r, kerr.NotEnoughReplicas, kerr.UnknownServerError, kerr.RequestTimedOut, kerr.KafkaStorageError, kerr.TopicAuthorizationFailed)
	case ReadFails:
		f.Topic = one(r, cfg.Orders.Topic, cfg.Clicks.Topic)
		f.Error = one(r, kerr.UnknownServerError, kerr.KafkaStorageError, kerr.UnknownLeaderEpoch)
		f.For = drawn(r, 100*time.Millisecond, 3*time.Second)
	case ListFails:
		f.Topic = one(r, cfg.Orders.Topic, cfg.Clicks.Topic)
		f.Error = one(r, kerr.UnknownServerError, kerr.KafkaStorageError)
	case HeartbeatFails:
		f.Error = one(r, kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress, kerr.NotCoordinator)
	case Cut, Silence:
		f.For = one(r, 2*time.Second, o.SessionTimeout+5*time.Second)
	case BrokerAway:
		if o.Brokers == 1 {
			f.Kind = LeadersMove
		}
	case RegistryAway:
		if o.OrderFormat != config.Avro && o.ClickFormat != config.Avro {
			f.Kind = CoordinatorMoves
		}
	case Join:
		if r.IntN(4) == 0 {
			// A storm: relays come and go faster than the group settles.
			return []Fault{f, {At: f.At + time.Second, Kind: Leave, Relay: f.Relay}, {At: f.At + 1500*time.Millisecond, Kind: Join}, {At: f.At + 3*time.Second, Kind: Leave, Relay: f.Relay + 1}}
		}
	}
	return []Fault{f}
}
