package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cjrelay/cjrelay/breaker"
	"github.com/cjrelay/cjrelay/consumer"
	"github.com/cjrelay/cjrelay/internal/config"
	"github.com/cjrelay/cjrelay/internal/version"
)

// A setting that is checked and shown and never arrives is worse than none. No two here are the same, and none is its
// default.
func TestEverySettingArrives(t *testing.T) {
	t.Parallel()
	cfg := config.Config{
		Kafka: config.Kafka{SessionTimeout: 41 * time.Second, RebalanceTimeout: 42 * time.Second, InstanceID: "pod-1"},
		Orders: config.Orders{
			Topic: "orders", Group: "group", Start: config.StartLatest, MaxPending: 101, MaxPendingPerPartition: 102, MaxPendingBytes: 103,
		},
		DeadLetter: config.DeadLetter{Topic: "letters"},
		Outcomes:   config.Outcomes{Topic: "outcomes"},
		CJ:         config.CJ{EnterpriseID: "77", RetryAfterCap: 43 * time.Second},
		Delivery: config.Delivery{
			Concurrency: 104, Rate: 1.5, BackoffInitial: 44 * time.Second, BackoffMax: 45 * time.Second, CommitInterval: 46 * time.Second,
			Drain: 47 * time.Second, FutureTolerance: 48 * time.Second, MassSamples: 105, MassWait: 49 * time.Second, Duplicates: 106,
		},
		Breaker: config.Breaker{Window: 50 * time.Second, FailureRate: 0.25, MinSamples: 107, ConsecutiveOrders: 108, Open: 51 * time.Second, Probes: 109},
	}
	require.Equal(t, consumer.Config{
		Topic: "orders", Group: "group", Start: consumer.Latest(), EnterpriseID: "77", DeadLetterTopic: "letters", OutcomesTopic: "outcomes",
		Version: version.String(), BackoffInitial: 44 * time.Second, BackoffMax: 45 * time.Second, CommitInterval: 46 * time.Second,
		Drain: 47 * time.Second, FutureTolerance: 48 * time.Second, Concurrency: 104, MassSamples: 105, MassWait: 49 * time.Second, Duplicates: 106,
		MaxPending: 101, MaxPendingBytes: 103, MaxPendingPerPartition: 102, RetryAfterCap: 43 * time.Second, SessionTimeout: 41 * time.Second,
		RebalanceTimeout: 42 * time.Second, InstanceID: "pod-1",
	}, delivery(cfg))
	require.Equal(t, breaker.Config{
		Concurrency: 104, ConsecutiveOrders: 108, FailureRate: 0.25, MinSamples: 107, Open: 51 * time.Second, Probes: 109, Rate: 1.5, Window: 50 * time.Second,
	}, circuit(cfg))
}
