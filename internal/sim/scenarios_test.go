//go:build synctests

package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/cjrelay/cjrelay/cjtest"
	"github.com/cjrelay/cjrelay/internal/config"
)

// scenarios are worlds made for one thing each to go wrong. Every control has one of them.
var scenarios = []struct {
	name string
	make func(*testing.T, *Options)
}{
	{"Calm", func(*testing.T, *Options) {}},
	{"EveryFormat", func(_ *testing.T, o *Options) {
		o.OrderFormat, o.ClickFormat, o.Join, o.Relays, o.Brokers = config.Avro, config.Avro, config.JoinCopartitioned, 2, 3
	}},
	{"HandoverWhileCJIsSlow", func(_ *testing.T, o *Options) {
		o.Orders, o.Concurrency, o.Partitions, o.CommitInterval = 300, 32, 6, 100*time.Millisecond
		o.Latency = cjtest.Between(time.Second, 1900*time.Millisecond)
		o.Faults = []Fault{{At: 4 * time.Second, Kind: Join}, {At: 8 * time.Second, Kind: Join}, {At: 12 * time.Second, Kind: Leave}, {At: 16 * time.Second, Kind: Join}}
	}},
	{"HandoverWithOrdersStuck", func(t *testing.T, o *Options) {
		o.History, o.Orders, o.Only = 100, 100, []string{"joined", "carried", "flaky"}
		o.CJ = script(t, "every=5 hang")
		o.Faults = []Fault{{At: 3 * time.Second, Kind: Restart}, {At: 12 * time.Second, Kind: Restart}}
	}},
	{"HandoverWhileOrdersWaitForTheRegistry", func(_ *testing.T, o *Options) {
		o.OrderFormat, o.Partitions, o.Orders = config.Avro, 6, 200
		o.Faults = []Fault{{At: 0, For: 12 * time.Second, Kind: RegistryAway}, {At: 6 * time.Second, Kind: Join}, {At: 10 * time.Second, Kind: Leave, Relay: 1}}
	}},
	{"HolesInTheOffsets", func(_ *testing.T, o *Options) { o.History, o.Transactions, o.Compaction = 100, true, true }},
	{"CrashWhileOutcomesCannotBeWritten", func(_ *testing.T, o *Options) {
		o.CommitInterval = 100 * time.Millisecond
		o.Faults = []Fault{{At: 5 * time.Second, For: 6 * time.Second, Kind: WriteFails, Topic: "cjrelay.outcomes", Error: kerr.NotEnoughReplicas},
			{At: 9 * time.Second, Kind: Crash}, {At: 10 * time.Second, Kind: Join}}
	}},
	{"StopBetweenCommits", func(_ *testing.T, o *Options) {
		o.Relays, o.CommitInterval = 2, 5*time.Second
		o.Faults = []Fault{{At: 8 * time.Second, Kind: Restart}}
	}},
	{"CrashWhileCJIsDown", func(t *testing.T, o *Options) {
		o.CJ = script(t, "2s-12s status=503")
		o.Faults = []Fault{{At: 8 * time.Second, Kind: Crash}, {At: 9 * time.Second, Kind: Join}}
	}},
	{"LostAndFound", func(_ *testing.T, o *Options) {
		o.Partitions, o.CommitInterval = 1, 5*time.Second
		o.Faults = []Fault{{At: 8200 * time.Millisecond, For: 14 * time.Second, Kind: Silence}}
	}},
	{"CommitsAreTriedForLongerThanASession", func(_ *testing.T, o *Options) {
		o.SessionTimeout, o.Orders = 6*time.Second, 200
		o.Faults = []Fault{{At: 3 * time.Second, For: 12 * time.Second, Kind: CommitFails, Error: kerr.NotCoordinator}, {At: 5 * time.Second, Kind: Join}}
	}},
	{"StopWhileADeadMemberHoldsTheGroupUp", func(_ *testing.T, o *Options) {
		o.Relays, o.SessionTimeout, o.Orders = 2, 25*time.Second, 300
		o.Faults = []Fault{{At: 5 * time.Second, Kind: Crash, Relay: 1}, {At: 6 * time.Second, Kind: Join}, {At: 10 * time.Second, Kind: Leave}}
	}},
	{"CommitsFailForLongerThanASession", func(_ *testing.T, o *Options) {
		o.SessionTimeout, o.Orders = 6*time.Second, 200
		o.Faults = []Fault{{At: 3 * time.Second, For: 12 * time.Second, Kind: CommitFails, Error: kerr.NotCoordinator}, {At: 5 * time.Second, Kind: Join}}
	}},
	{"EndsCannotBeListed", func(t *testing.T, o *Options) {
		o.Partitions, o.History, o.Only = 1, 100, []string{"joined", "carried", "flaky"}
		o.CJ = script(t, "every=5 hang")
		o.Faults = []Fault{{At: 6 * time.Second, Kind: Join}, {At: 6 * time.Second, For: 8 * time.Second, Kind: ListFails, Topic: "order.confirmed", Error: kerr.KafkaStorageError},
			{At: 8 * time.Second, Kind: Leave}}
	}},
	{"LastCommitsFail", func(_ *testing.T, o *Options) {
		o.Encore, o.Partitions, o.Only = 0, 12, []string{"carried"}
		o.Faults = []Fault{{At: 15 * time.Second, For: 5 * time.Second, Kind: CommitFails, Error: kerr.UnknownServerError}}
	}},
	{"LongOutage", func(t *testing.T, o *Options) {
		o.History, o.Over, o.Orders, o.Concurrency = 350, 40*time.Second, 200, 4
		o.CJ = script(t, "0s-30s status=503")
	}},
	{"JustClicked", func(_ *testing.T, o *Options) {
		o.Orders, o.Only, o.Delay = 200, []string{"just clicked", "just clicked again", "just erased"}, 10*time.Millisecond
	}},
	{"CJRejectsEverything", func(t *testing.T, o *Options) {
		o.History, o.Only = 60, []string{"joined", "carried"}
		o.CJ = script(t, "0s-15s status=400")
	}},
	{"DeadLettersThatCannotBeWritten", func(_ *testing.T, o *Options) {
		o.Only = []string{"carried", "joined", "joined", "malformed", "rejected", "unbuildable"}
		o.Orders = 150
		o.Faults = []Fault{{At: 4 * time.Second, For: 8 * time.Second, Kind: WriteFails, Topic: "order.confirmed.dlq", Error: kerr.KafkaStorageError}}
	}},
	{"TheSameOrderAgain", func(_ *testing.T, o *Options) { o.Only = []string{"repeated", "joined"} }},
}

// Worlds that are made for one trouble each.
func TestScenarios(t *testing.T) {
	t.Parallel()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			o := Calm(1)
			s.make(t, &o)
			Run(t, o)
		})
	}
}

func script(t *testing.T, text string) []cjtest.Rule {
	t.Helper()
	rules, err := cjtest.ParseScript(text)
	require.NoError(t, err)
	return rules
}
